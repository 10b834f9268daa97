/**
 * Finds a key that occurs twice in one object, which `JSON.parse` resolves silently to the last one.
 * @param text valid JSON (`JSON.parse` has accepted it)
 * @returns the first key found twice, or undefined
 */
export function findDuplicateKey(text: string): string | undefined {
  /** Keys seen in each open object; null for an open list. */
  const open: (Set<string> | null)[] = [];
  for (let position = 0; position < text.length; position++) {
    const character = text[position];
    if (character === "{") open.push(new Set());
    else if (character === "[") open.push(null);
    else if (character === "}" || character === "]") open.pop();
    else if (character === '"') {
      const start = position++;
      while (text[position] !== '"') position += text[position] === "\\" ? 2 : 1;
      const keys = open.at(-1);
      if (keys && isFollowedByColon(text, position + 1)) {
        const key: string = JSON.parse(text.slice(start, position + 1));
        if (keys.has(key)) return key;
        keys.add(key);
      }
    }
  }
  return undefined;
}

function isFollowedByColon(text: string, position: number): boolean {
  let next = position;
  while (" \t\r\n".includes(text[next] ?? "x")) next++;
  return text[next] === ":";
}

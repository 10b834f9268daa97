/** Rows as aligned text for a terminal: the first column to the left, the others to the right, brackets to the left. */
export function textTable(rows: readonly (readonly string[])[]): string {
  const widths = rows[0]!.map((_, c) => Math.max(...rows.map((row) => row[c]!.length)));
  const pad = (text: string, c: number) =>
    c === 0 || text.startsWith("[") ? text.padEnd(widths[c]!) : text.padStart(widths[c]!);
  return rows.map((row) => row.map(pad).join("  ").trimEnd()).join("\n");
}

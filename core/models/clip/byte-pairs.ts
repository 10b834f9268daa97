/** Marks the end of a word in CLIP's vocabulary. */
export const WORD_END = "</w>";

/** GPT-2's printable stand-in for each byte: itself where printable in Latin-1, else a character from U+0100 on. */
export const BYTE_CHARACTERS: readonly string[] = byteCharacters();

function byteCharacters(): string[] {
  const isPrintable = (byte: number) => (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || byte >= 174;
  let next = 256;
  return Array.from({ length: 256 }, (_, byte) => String.fromCodePoint(isPrintable(byte) ? byte : next++));
}

/**
 * CLIP's base vocabulary in its order of ids: the byte characters by code point within Latin-1, then the stand-ins, and
 * all of them once more with the end-of-word mark. Merges and special tokens follow.
 */
export function baseVocabulary(): string[] {
  const ordered = [...BYTE_CHARACTERS].sort((a, b) => a.codePointAt(0)! - b.codePointAt(0)!);
  return [...ordered, ...ordered.map((character) => character + WORD_END)];
}

const encoder = new TextEncoder();

/** @returns the word's UTF-8 bytes as characters, the last one with the end-of-word mark: `["c", "a", "t</w>"]`. */
export function wordSymbols(word: string): string[] {
  const symbols = Array.from(encoder.encode(word), (byte) => BYTE_CHARACTERS[byte]!);
  symbols.push(symbols.pop()! + WORD_END);
  return symbols;
}

/** The key of a pair in a table of ranks; no symbol contains a space. */
export function pairKey(left: string, right: string): string {
  return `${left} ${right}`;
}

/**
 * Byte-pair encoding (Sennrich et al. 2016): joins the pair of lowest rank, everywhere in the word, until none is left.
 * @param ranks rank of each pair by `pairKey`
 */
export function mergeSymbols(symbols: readonly string[], ranks: ReadonlyMap<string, number>): string[] {
  let word = [...symbols];
  for (;;) {
    let best = Number.POSITIVE_INFINITY;
    let at = -1;
    for (let i = 0; i + 1 < word.length; i++) {
      const rank = ranks.get(pairKey(word[i]!, word[i + 1]!));
      if (rank !== undefined && rank < best) {
        best = rank;
        at = i;
      }
    }
    if (at < 0) return word;
    word = joinPair(word, word[at]!, word[at + 1]!);
  }
}

/** @returns the word with every `left` followed by `right` joined, from left to right. */
export function joinPair(word: readonly string[], left: string, right: string): string[] {
  const joined: string[] = [];
  for (let i = 0; i < word.length; i++) {
    if (word[i] === left && word[i + 1] === right) {
      joined.push(left + right);
      i++;
    } else {
      joined.push(word[i]!);
    }
  }
  return joined;
}

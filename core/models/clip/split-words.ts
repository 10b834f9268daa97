/** What CLIP's normalizer calls white space: Unicode's property, which differs from JavaScript's `\s`. */
const WHITE_SPACE = /\p{White_Space}+/gu;

/** CLIP's pattern: English contractions, runs of letters, single digits, runs of anything else that is not white space. */
const WORD = /'s|'t|'re|'ve|'m|'ll|'d|\p{L}+|\p{N}|[^\p{White_Space}\p{L}\p{N}]+/gu;

/** A special token that a prompt spells out, or text between them. */
export interface PromptPart {
  readonly text: string;
  readonly isSpecial: boolean;
}

/** Unicode NFC, each run of white space one space, lower case letter by letter (no final sigma), as transformers does it. */
export function normalizePrompt(text: string): string {
  return Array.from(text.normalize("NFC").replace(WHITE_SPACE, " "), (letter) => letter.toLowerCase()).join("");
}

/** @returns the words of a normalized text, in order. */
export function splitWords(text: string): string[] {
  return text.match(WORD) ?? [];
}

/**
 * Sets special tokens apart: `endToken` is looked for in the text as it was given, `startToken` after normalization, as
 * transformers' CLIPTokenizer does.
 * @returns parts in order, their text normalized
 */
export function splitSpecialTokens(prompt: string, startToken: string, endToken: string): PromptPart[] {
  return splitAtToken(prompt, endToken).flatMap((part) =>
    part.isSpecial ? [part] : splitAtToken(normalizePrompt(part.text), startToken),
  );
}

/** A text's parts before, between and after the occurrences of a special token. */
export function splitAtToken(text: string, special: string): PromptPart[] {
  return text
    .split(special)
    .flatMap((part, i) => [...(i === 0 ? [] : [{ text: special, isSpecial: true }]), { text: part, isSpecial: false }]);
}

import { decodeHTML } from "entities";

/** Quotation marks that ftfy makes straight. */
const SINGLE_QUOTES = /[\u02bc\u2018-\u201b]/g;
const DOUBLE_QUOTES = /[\u201c-\u201f]/g;
const LIGATURES: ReadonlyMap<string, string> = new Map([
  ["Ĳ", "IJ"],
  ["ĳ", "ij"],
  ["ŉ", "ʼn"],
  ["Ǳ", "DZ"],
  ["ǲ", "Dz"],
  ["ǳ", "dz"],
  ["Ǆ", "DŽ"],
  ["ǅ", "Dž"],
  ["ǆ", "dž"],
  ["Ǉ", "LJ"],
  ["ǈ", "Lj"],
  ["ǉ", "lj"],
  ["Ǌ", "NJ"],
  ["ǋ", "Nj"],
  ["ǌ", "nj"],
  ["ﬀ", "ff"],
  ["ﬁ", "fi"],
  ["ﬂ", "fl"],
  ["ﬃ", "ffi"],
  ["ﬄ", "ffl"],
  ["ﬅ", "ſt"],
  ["ﬆ", "st"],
]);
const LIGATURE = new RegExp(`[${[...LIGATURES.keys()].join("")}]`, "g");
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
const TERMINAL_ESCAPES = /\u001b\[(?:\d|;)*[a-zA-Z]/g;
/** Half and full width forms, and the wide space. */
const WIDTH_FORMS = /[\u3000\uff01-\uffee]/g;
/** Control characters that do nothing in a text (ftfy, chardata.py). */
const CONTROLS =
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
  /[\u0000-\u0008\u000b\u000e-\u001f\u007f\u206a-\u206f\ufeff\ufff9-\ufffc]/g;

/**
 * A prompt as open_clip's tokenizer cleans it (open_clip/tokenizer.py, basic_clean and whitespace_clean): ftfy's repairs, html entities
 * resolved twice, white space collapsed, lower case. Of ftfy's repairs (fix_text, version 6) the one that guesses at wrongly decoded text
 * (mojibake) is left out.
 */
export function cleanForOpenClip(prompt: string): string {
  const repaired = prompt
    .replace(TERMINAL_ESCAPES, "")
    .replace(LIGATURE, (found) => LIGATURES.get(found)!)
    .replace(WIDTH_FORMS, (found) => found.normalize("NFKC"))
    .replace(SINGLE_QUOTES, "'")
    .replace(DOUBLE_QUOTES, '"')
    .replace(/\r\n|[\r\u2028\u2029\u0085]/g, "\n")
    .replace(CONTROLS, "")
    .normalize("NFC");
  return decodeHTML(decodeHTML(repaired))
    .replace(/\p{White_Space}+/gu, " ")
    .trim()
    .toLowerCase();
}

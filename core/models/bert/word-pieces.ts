import { readFile } from "node:fs/promises";
import { toIoError } from "../../checkpoint/io-errors.js";
import { SpinError } from "../../errors.js";

/** Words of more letters are unknown, as in transformers. */
const MAX_WORD_LENGTH = 100;
const SPECIAL = ["[UNK]", "[SEP]", "[PAD]", "[CLS]", "[MASK]"] as const;
const SPECIAL_TOKEN = /(\[(?:UNK|SEP|PAD|CLS|MASK)\])/;

/** An encoded text: ids, and 1 where an id is no padding. */
export interface EncodedText {
  readonly ids: Int32Array;
  readonly mask: Float32Array;
}

/** BERT's tokenizer for lower-case vocabularies, as transformers' BertTokenizer. */
export interface WordPieceTokenizer {
  readonly vocabularySize: number;
  /** [CLS], the text's ids (cut to length − 2), [SEP], padding: [length] each. */
  encode(text: string, length: number): EncodedText;
}

/**
 * Loads a `vocab.txt`: a token a line, its number the line's; of a token that occurs twice the later line counts.
 * @throws SpinError "notFound" for a missing file, "corrupt" for one that is no such vocabulary
 */
export async function loadWordPieceTokenizer(file: string): Promise<WordPieceTokenizer> {
  const text = await readFile(file, "utf8").catch((error: unknown) => Promise.reject(toIoError(error, file, "read")));
  const lines = text.split(/\r?\n/);
  if (lines.at(-1) === "") lines.pop();
  const ids = new Map(lines.map((token, id) => [token, id]));
  const missing = SPECIAL.find((token) => !ids.has(token));
  if (missing !== undefined) {
    throw new SpinError("corrupt", `${file} is not a vocabulary of BERT: it has no token ${missing}`, {
      file,
      remedy: "take vocab.txt of bert-base-uncased",
    });
  }
  return wordPieceTokenizer(ids, lines.length);
}

function wordPieceTokenizer(vocabulary: ReadonlyMap<string, number>, vocabularySize: number): WordPieceTokenizer {
  const [unknown, separator, padding, start] = SPECIAL.map((token) => vocabulary.get(token)!) as [
    number,
    number,
    number,
    number,
  ];
  const encodePart = (part: string): number[] => {
    if (SPECIAL_TOKEN.test(part)) return [vocabulary.get(part)!];
    return basicTokens(part).flatMap((word) => wordPieces(word, vocabulary) ?? [unknown]);
  };
  return {
    vocabularySize,
    encode(text, length) {
      const pieces = text
        .split(SPECIAL_TOKEN)
        .flatMap(encodePart)
        .slice(0, length - 2);
      const all = [start, ...pieces, separator];
      return {
        ids: Int32Array.from({ length }, (_, i) => all[i] ?? padding),
        mask: Float32Array.from({ length }, (_, i) => (i < all.length ? 1 : 0)),
      };
    },
  };
}

/** BERT's control characters: all but tab and line ends, which are white space. */
const CONTROL = /[^\P{C}\t\n\r]|\ufffd/gu;
const CJK =
  /[\u4e00-\u9fff\u3400-\u4dbf\u{20000}-\u{2a6df}\u{2a700}-\u{2b73f}\u{2b740}-\u{2b81f}\u{2b820}-\u{2ceaf}\uf900-\ufaff\u{2f800}-\u{2fa1f}]/gu;
/** Unicode's punctuation, and what is none in Unicode but is in ASCII. */
const WORD = /[\p{P}$+<=>^`|~]|[^\p{P}$+<=>^`|~\s]+/gu;

/** BasicTokenizer: cleaned, Chinese characters apart, lower case without accents, punctuation apart. */
function basicTokens(text: string): string[] {
  const cleaned = text.replace(CONTROL, "").replace(CJK, " $& ").normalize("NFC");
  return (
    cleaned
      .toLowerCase()
      .normalize("NFD")
      .replace(/\p{Mn}/gu, "")
      .match(WORD) ?? []
  );
}

/** The longest pieces from the left; undefined for a word that the vocabulary cannot spell. */
function wordPieces(word: string, vocabulary: ReadonlyMap<string, number>): number[] | undefined {
  const letters = [...word];
  if (letters.length > MAX_WORD_LENGTH) return undefined;
  const pieces: number[] = [];
  for (let start = 0; start < letters.length; ) {
    let end = letters.length;
    const piece = () => (start > 0 ? "##" : "") + letters.slice(start, end).join("");
    while (end > start && !vocabulary.has(piece())) end--;
    if (end === start) return undefined;
    pieces.push(vocabulary.get(piece())!);
    start = end;
  }
  return pieces;
}

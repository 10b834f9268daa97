import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { useTemporaryFolder } from "../../../test/support/temporary-folder.js";
import { loadWordPieceTokenizer } from "./word-pieces.js";

const folder = useTemporaryFolder();
const letters = [..."abcdefghijklmnopqrstuvwxyz0123456789"];
const words = "cat ##s photo the un ##aff ##able cafe 猫 月 東 пейзаж ##ing walk ß ##ß".split(" ");
const special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"];
const vocabulary = [...special, ...letters, ...".,!?'-:()$", ...letters.map((letter) => `##${letter}`), ...words];

async function write(tokens: readonly string[]): Promise<string> {
  const file = join(folder(), "vocab.txt");
  await writeFile(file, `${tokens.join("\n")}\n`);
  return file;
}

// Made with transformers 5.24's BertTokenizer from the same vocabulary, max_length 16.
const expected: readonly [text: string, ids: readonly number[]][] = [
  ["A photo of the Cats", [2, 5, 89, 19, 56, 90, 87, 88, 3]],
  ["unaffable café, CAFÉ!", [2, 91, 92, 93, 94, 42, 94, 43, 3]],
  ["一只猫在月球上 東京", [2, 1, 1, 95, 1, 96, 1, 1, 97, 1, 3]],
  ["walking (4k) $3.50 -- don't", [2, 100, 99, 48, 35, 61, 49, 50, 34, 41, 36, 77, 46, 46, 8, 3]],
  ["[MASK] the [SEP] cat [DEC]", [2, 4, 90, 3, 87, 1, 8, 55, 53, 1, 3]],
  ["", [2, 3]],
  ["tab\tand\nline\u00a0nbsp zero\u200bwidth", [2, 24, 51, 52, 5, 64, 54, 16, 59, 64, 55, 18, 52, 88, 66, 3]],
  [`${"x".repeat(101)} cat`, [2, 1, 87, 3]],
  ["пейзаж ПЕЙЗАЖ", [2, 1, 1, 3]],
  ["😀 cat", [2, 1, 87, 3]],
  ["a ".repeat(60), [2, ...Array.from({ length: 14 }, () => 5), 3]],
  ["Straße İstanbul", [2, 23, 70, 68, 51, 102, 55, 13, 88, 70, 51, 64, 52, 71, 62, 3]],
  ["ﬁne ½ ²", [2, 1, 1, 1, 3]],
];

test("texts get the ids that transformers' BertTokenizer gives", async () => {
  const { encode, vocabularySize } = await loadWordPieceTokenizer(await write(vocabulary));
  expect(vocabularySize).toBe(vocabulary.length);
  for (const [text, ids] of expected) {
    const padded = Array.from({ length: 16 }, (_, i) => ids[i] ?? 0);
    const encoded = encode(text, 16);
    expect([text, ...encoded.ids]).toEqual([text, ...padded]);
    expect([...encoded.mask]).toEqual(padded.map((_, i) => (i < ids.length ? 1 : 0)));
  }
});

test("a file that is no vocabulary of BERT is refused by what it lacks", async () => {
  await expect(loadWordPieceTokenizer(join(folder(), "none.txt"))).rejects.toMatchObject({ kind: "notFound" });
  const lacking = await write(vocabulary.filter((token) => token !== "[CLS]"));
  await expect(loadWordPieceTokenizer(lacking)).rejects.toThrow("has no token [CLS]");
});

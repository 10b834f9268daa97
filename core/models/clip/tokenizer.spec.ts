import { cp, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { useTemporaryFolder } from "../../../test/support/temporary-folder.js";
import { cutVocabulary, writeClipTokenizer } from "./cut-vocabulary.js";
import { loadClipTokenizer } from "./tokenizer.js";

const small = fileURLToPath(
  new URL("../../../test/reference/cases/tokenize/small-vocabulary/tokenizer", import.meta.url),
);
const folder = useTemporaryFolder();

const captions = [
  "a red heart",
  "Woman firefighter: medium-dark skin tone",
  "man's hat, the hat of the man",
  "three o'clock",
  "naïve café 🐱 77",
];

async function cutTokenizer(texts: readonly string[], length = 24) {
  await writeClipTokenizer(folder(), cutVocabulary(texts), length);
  return loadClipTokenizer(folder());
}

describe("a vocabulary cut from captions", () => {
  test("makes each of their words one token", async () => {
    const tokenizer = await cutTokenizer(captions);
    const words = [
      "woman",
      "firefighter",
      "medium",
      "skin",
      "tone",
      "man",
      "'s",
      "clock",
      "naïve",
      "café",
      "🐱",
      "🐱 7",
    ];
    const lengths = words.map((word) => tokenizer.encode(word).indexOf(tokenizer.eosTokenId) - 1);
    expect(lengths).toEqual([1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 2]);
    expect(new Set(words.slice(0, -1).map((word) => tokenizer.encode(word)[1])).size).toBe(words.length - 1);
  });

  test("spells words that no caption has from their pieces", async () => {
    const tokenizer = await cutTokenizer(captions);
    const ids = [...tokenizer.encode("zebra")];
    expect(ids.indexOf(tokenizer.eosTokenId)).toBeGreaterThan(2);
    expect(ids[1]).toBeLessThan(tokenizer.bosTokenId);
  });

  test("does not depend on the order of the captions", () => {
    expect(cutVocabulary(captions.toReversed())).toEqual(cutVocabulary(captions));
  });

  test("ends with start and end, which also pads, and has the length asked for", async () => {
    const tokenizer = await cutTokenizer(captions, 5);
    const { tokens } = cutVocabulary(captions);
    expect(tokenizer.vocabularySize).toBe(tokens.length);
    expect([tokenizer.bosTokenId, tokenizer.eosTokenId]).toEqual([tokens.length - 2, tokens.length - 1]);
    const { bosTokenId: bos, eosTokenId: eos } = tokenizer;
    expect([...tokenizer.encode("")]).toEqual([bos, eos, eos, eos, eos]);
    const cut = [...tokenizer.encode("the man of the red hat")];
    expect(cut).toHaveLength(5);
    expect(cut.at(-1)).toBe(eos);
  });
});

test("special tokens that a prompt spells out are themselves; the start token in any case", async () => {
  const { encode, bosTokenId, eosTokenId } = await loadClipTokenizer(small);
  expect([...encode("<|startoftext|><|endoftext|>", 4)]).toEqual([bosTokenId, bosTokenId, eosTokenId, eosTokenId]);
  expect([...encode("<|StartOfText|>", 3)]).toEqual([bosTokenId, bosTokenId, eosTokenId]);
  expect([...encode("!<|endoftext|>!", 5)]).toEqual([...encode("! <|endoftext|> !", 5)]);
});

test("the pad token can be chosen, and special_tokens_map.json goes before tokenizer_config.json", async () => {
  expect((await loadClipTokenizer(small, { padToken: "!" })).padTokenId).toBe(0);
  await cp(small, folder(), { recursive: true });
  await writeFile(join(folder(), "special_tokens_map.json"), JSON.stringify({ pad_token: "!" }));
  expect((await loadClipTokenizer(folder())).padTokenId).toBe(0);
});

describe("what is wrong is named", () => {
  test.each([
    ["no vocabulary", () => rm(join(folder(), "vocab.json")), "notFound", /vocab\.json cannot be read/],
    ["no merges", () => rm(join(folder(), "merges.txt")), "notFound", /merges\.txt/],
    [
      "merges of other tokens",
      () => writeFile(join(folder(), "merges.txt"), "#version: 0.2\ni n\nqu ux\n"),
      "corrupt",
      /line 3/,
    ],
    [
      "ids that are no numbers",
      () => writeFile(join(folder(), "vocab.json"), '{"a":"b"}'),
      "invalid",
      /vocab\.json: a:/,
    ],
    [
      "a cut vocabulary file",
      () => writeFile(join(folder(), "vocab.json"), '{"a":'),
      "corrupt",
      /vocab\.json is not JSON/,
    ],
    ["no special tokens", () => writeFile(join(folder(), "vocab.json"), '{"i":0,"n":1}'), "corrupt", /merges|special/],
  ])("%s", async (_, damage, kind, message) => {
    await cp(small, folder(), { recursive: true });
    await damage();
    await expect(loadClipTokenizer(folder())).rejects.toMatchObject({ kind, message: expect.stringMatching(message) });
  });
});

describe("a folder with tokenizer.json alone", () => {
  test.each([
    ["texts", (pair: string) => pair],
    ["pairs", (pair: string) => pair.split(" ")],
  ])("is read as one with vocabulary and merges, with merges as %s", async (_, form) => {
    await cp(small, folder(), { recursive: true });
    const vocab = JSON.parse(await readFile(join(small, "vocab.json"), "utf8")) as Record<string, number>;
    const [, ...lines] = (await readFile(join(small, "merges.txt"), "utf8")).trimEnd().split("\n");
    const special = Object.entries(vocab).filter(([token]) => token.startsWith("<|"));
    const added_tokens = special.map(([content, id]) => ({ id, content, special: true }));
    for (const [token] of special) delete vocab[token];
    const merges = lines.map((line) => form(line));
    await writeFile(
      join(folder(), "tokenizer.json"),
      JSON.stringify({ added_tokens, model: { type: "BPE", vocab, merges } }),
    );
    for (const name of ["vocab.json", "merges.txt"]) await rm(join(folder(), name));
    const [whole, parts] = [await loadClipTokenizer(folder()), await loadClipTokenizer(small)];
    for (const prompt of ["a red fox, in the snow!", "", "<|endoftext|> 42"]) {
      expect([...whole.encode(prompt)]).toEqual([...parts.encode(prompt)]);
    }
    expect(whole.vocabularySize).toBe(parts.vocabularySize);
  });

  test("whose merges are of other tokens is refused by file and place", async () => {
    const model = { vocab: { a: 0, b: 1, ab: 2 }, merges: ["a b", "b c"] };
    await writeFile(join(folder(), "tokenizer.json"), JSON.stringify({ model }));
    await expect(loadClipTokenizer(folder())).rejects.toThrow(/tokenizer\.json: merge 1 joins .*: b c/);
  });
});

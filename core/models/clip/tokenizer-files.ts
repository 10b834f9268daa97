import { readFile } from "node:fs/promises";
import { join } from "node:path";
import * as z from "zod";
import { exists } from "../../checkpoint/presence.js";
import { SpinError } from "../../errors.js";
import { parseConfig, readJsonFile } from "../../json-config.js";
import { pairKey } from "./byte-pairs.js";

/** What a tokenizer folder holds. */
export interface TokenizerFiles {
  /** Id of each token. */
  readonly ids: ReadonlyMap<string, number>;
  /** Rank of each pair of symbols that is merged (see `pairKey`), most frequent first. */
  readonly ranks: ReadonlyMap<string, number>;
  /** Of `tokenizer_config.json`. */
  readonly config: TokenizerSettings;
  /** Special tokens, of `special_tokens_map.json` before `tokenizer_config.json`. */
  readonly special: TokenizerSettings;
  /** Where the vocabulary is, for messages. */
  readonly vocabularyFile: string;
}

const tokenSchema = z.union([z.string(), z.looseObject({ content: z.string() }).transform((token) => token.content)]);
const settingsSchema = z.looseObject({
  bos_token: tokenSchema.nullish(),
  eos_token: tokenSchema.nullish(),
  unk_token: tokenSchema.nullish(),
  pad_token: tokenSchema.nullish(),
  model_max_length: z.number().nullish(),
});
type TokenizerSettings = z.infer<typeof settingsSchema>;

const vocabularySchema = z.record(z.string(), z.int().nonnegative());

/** The part of `tokenizer.json` that CLIP's tokenizers have. */
const tokenizerJsonSchema = z.looseObject({
  model: z.looseObject({
    type: z.literal("BPE").optional(),
    vocab: vocabularySchema,
    // Pairs were texts with a space between until tokenizers 0.20.
    merges: z.array(z.union([z.string(), z.tuple([z.string(), z.string()])])),
  }),
  added_tokens: z.array(z.looseObject({ id: z.int().nonnegative(), content: z.string() })).default([]),
});

/**
 * Reads `vocab.json` and `merges.txt`, or `tokenizer.json` where they are missing, and, where present, `special_tokens_map.json` and
 * `tokenizer_config.json`.
 * @throws SpinError "notFound" for a missing file, "corrupt" or "invalid" for one that is not what it claims to be
 */
export async function readTokenizerFiles(folder: string): Promise<TokenizerFiles> {
  const isWhole = !(await exists(join(folder, "vocab.json"))) && (await exists(join(folder, "tokenizer.json")));
  const vocabularyFile = join(folder, isWhole ? "tokenizer.json" : "vocab.json");
  const { ids, ranks } = await (isWhole ? readTokenizerJson(vocabularyFile) : readVocabulary(folder, vocabularyFile));
  const config = await readSettings(join(folder, "tokenizer_config.json"));
  const special = { ...config, ...(await readSettings(join(folder, "special_tokens_map.json"))) };
  return { ids, ranks, config, special, vocabularyFile };
}

async function readVocabulary(folder: string, file: string) {
  const ids = new Map(Object.entries(parseConfig(vocabularySchema, await readJsonFile(file), file)));
  const mergesFile = join(folder, "merges.txt");
  // `merges.txt`: a version line, then one pair per line, most frequent first.
  const lines = (await readMergesText(mergesFile)).split(/\r?\n/).map((line, i) => ({ line, place: `line ${i + 1}` }));
  const pairs = lines.filter(({ line }, i) => line !== "" && !(i === 0 && line.startsWith("#version")));
  return { ids, ranks: ranksOf(pairs, ids, mergesFile) };
}

async function readTokenizerJson(file: string) {
  const { model, added_tokens } = parseConfig(tokenizerJsonSchema, await readJsonFile(file), file);
  const ids = new Map(Object.entries(model.vocab));
  for (const { id, content } of added_tokens) ids.set(content, id);
  const pairs = model.merges.map((pair, i) => {
    return { line: typeof pair === "string" ? pair : pair.join(" "), place: `merge ${i}` };
  });
  return { ids, ranks: ranksOf(pairs, ids, file) };
}

function ranksOf(
  pairs: readonly { readonly line: string; readonly place: string }[],
  ids: ReadonlyMap<string, number>,
  file: string,
): ReadonlyMap<string, number> {
  const ranks = new Map<string, number>();
  for (const { line, place } of pairs) {
    const [left, right, ...rest] = line.split(" ");
    const isPair = left !== undefined && right !== undefined && rest.length === 0;
    if (!isPair || ![left, right, left + right].every((token) => ids.has(token))) {
      const problem = `${place} joins tokens that the vocabulary lacks: ${line.slice(0, 80)}`;
      throw new SpinError("corrupt", `${file}: ${problem}`, {
        file,
        remedy: "take vocabulary and merges from the same model",
      });
    }
    ranks.set(pairKey(left, right), ranks.size);
  }
  return ranks;
}

async function readSettings(file: string): Promise<TokenizerSettings> {
  return (await exists(file)) ? parseConfig(settingsSchema, await readJsonFile(file), file) : {};
}

async function readMergesText(file: string): Promise<string> {
  try {
    return await readFile(file, "utf8");
  } catch (error) {
    throw new SpinError("notFound", `${file} cannot be read`, {
      file,
      cause: error,
      remedy: "a tokenizer folder needs vocab.json and merges.txt, or tokenizer.json",
    });
  }
}

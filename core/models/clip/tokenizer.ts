import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import * as z from "zod";
import { SpinError } from "../../errors.js";
import { parseConfig, readJsonFile } from "../../json-config.js";
import { mergeSymbols, pairKey, wordSymbols } from "./byte-pairs.js";
import { splitSpecialTokens, splitWords } from "./split-words.js";

/** CLIP's byte-pair tokenizer (Radford et al. 2021), as transformers' CLIPTokenizer. */
export interface ClipTokenizer {
  /** Ids from 0 to `vocabularySize` - 1. */
  readonly vocabularySize: number;
  /** Length of an encoded prompt unless told otherwise; 77 in published models. */
  readonly modelMaxLength: number;
  readonly bosTokenId: number;
  readonly eosTokenId: number;
  readonly padTokenId: number;
  /**
   * @param prompt any text; html entities are not resolved
   * @param length number of ids, `modelMaxLength` by default
   * @returns [length]: start token, the prompt's ids (cut to length - 2), end token, padding
   */
  encode(prompt: string, length?: number): Int32Array;
}

/** Settings that take the place of the folder's own. */
export interface ClipTokenizerOptions {
  /** The token to pad with, as "!" in SD-2.x. */
  readonly padToken?: string;
}

const tokenSchema = z.union([z.string(), z.looseObject({ content: z.string() }).transform((token) => token.content)]);
const settingsSchema = z.looseObject({
  bos_token: tokenSchema.nullish(),
  eos_token: tokenSchema.nullish(),
  unk_token: tokenSchema.nullish(),
  pad_token: tokenSchema.nullish(),
  model_max_length: z.number().nullish(),
});
const vocabularySchema = z.record(z.string(), z.int().nonnegative());

/**
 * Reads `vocab.json`, `merges.txt` and, where present, `special_tokens_map.json` and `tokenizer_config.json`.
 * @throws SpinError "notFound" for a missing file, "corrupt" for one that is not what it claims to be
 */
export async function loadClipTokenizer(folder: string, options: ClipTokenizerOptions = {}): Promise<ClipTokenizer> {
  const vocabularyFile = join(folder, "vocab.json");
  const ids = new Map(
    Object.entries(parseConfig(vocabularySchema, await readJsonFile(vocabularyFile), vocabularyFile)),
  );
  const ranks = await readMerges(join(folder, "merges.txt"), ids);
  const config = await readSettings(join(folder, "tokenizer_config.json"));
  const special = { ...config, ...(await readSettings(join(folder, "special_tokens_map.json"))) };
  const bosToken = special.bos_token ?? "<|startoftext|>";
  const eosToken = special.eos_token ?? "<|endoftext|>";
  const idOf = (token: string): number => {
    const id = ids.get(token);
    if (id !== undefined) return id;
    throw new SpinError("corrupt", `${vocabularyFile} lacks the special token ${JSON.stringify(token)}`, {
      file: vocabularyFile,
      remedy: "take all tokenizer files from one model",
    });
  };
  const [bosTokenId, eosTokenId] = [idOf(bosToken), idOf(eosToken)];
  const unknownTokenId = idOf(special.unk_token ?? eosToken);
  const padTokenId = idOf(options.padToken ?? special.pad_token ?? eosToken);
  // transformers writes 10^30 where a model sets no limit.
  const limit = config.model_max_length ?? 77;
  const modelMaxLength = limit >= 2 && limit <= 4096 ? limit : 77;

  const encodeWord = (word: string): number[] =>
    mergeSymbols(wordSymbols(word), ranks).map((symbol) => ids.get(symbol) ?? unknownTokenId);
  const encodeText = (prompt: string): number[] =>
    splitSpecialTokens(prompt, bosToken, eosToken).flatMap(({ text, isSpecial }) =>
      isSpecial ? [idOf(text)] : splitWords(text).flatMap(encodeWord),
    );
  return {
    vocabularySize: ids.size,
    modelMaxLength,
    bosTokenId,
    eosTokenId,
    padTokenId,
    encode(prompt, length = modelMaxLength) {
      const encoded = [bosTokenId, ...encodeText(prompt).slice(0, length - 2), eosTokenId];
      return Int32Array.from({ length }, (_, i) => encoded[i] ?? padTokenId);
    },
  };
}

/** `merges.txt`: a version line, then one pair per line, most frequent first. */
async function readMerges(file: string, ids: ReadonlyMap<string, number>): Promise<ReadonlyMap<string, number>> {
  const ranks = new Map<string, number>();
  for (const [number, line] of (await readMergesText(file)).split(/\r?\n/).entries()) {
    if (line === "" || (number === 0 && line.startsWith("#version"))) continue;
    const [left, right, ...rest] = line.split(" ");
    const isPair = left !== undefined && right !== undefined && rest.length === 0;
    if (!isPair || ![left, right, left + right].every((token) => ids.has(token))) {
      throw new SpinError(
        "corrupt",
        `${file}: line ${number + 1} joins tokens that the vocabulary lacks: ${line.slice(0, 80)}`,
        {
          file,
          remedy: "take vocab.json and merges.txt from the same model",
        },
      );
    }
    ranks.set(pairKey(left, right), ranks.size);
  }
  return ranks;
}

async function readSettings(file: string): Promise<z.infer<typeof settingsSchema>> {
  return existsSync(file) ? parseConfig(settingsSchema, await readJsonFile(file), file) : {};
}

async function readMergesText(file: string): Promise<string> {
  try {
    return await readFile(file, "utf8");
  } catch (error) {
    throw new SpinError("notFound", `${file} cannot be read`, {
      file,
      cause: error,
      remedy: "a tokenizer folder needs vocab.json and merges.txt (tokenizer.json alone is not read)",
    });
  }
}

import { SpinError } from "../../errors.js";
import { mergeSymbols, wordSymbols } from "./byte-pairs.js";
import { cleanForOpenClip } from "./repair-text.js";
import { type PromptPart, splitAtToken, splitSpecialTokens, splitWords } from "./split-words.js";
import { readTokenizerFiles } from "./tokenizer-files.js";

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
   * @param prompt any text; html entities are resolved by open_clip's form alone
   * @param length number of ids, `modelMaxLength` by default
   * @returns [length]: start token, the prompt's ids (cut to length - 2), end token, padding
   */
  encode(prompt: string, length?: number): Int32Array;
}

/** Settings that take the place of the folder's own. */
export interface ClipTokenizerOptions {
  /** The token to pad with, as "!" in SD-2.x. */
  readonly padToken?: string;
  /**
   * Tokenizes as open_clip does from the same vocabulary: text repaired and html entities resolved (see `cleanForOpenClip`), padding 0, and
   * no pad token.
   */
  readonly isOpenClip?: boolean;
}

/**
 * Loads the tokenizer of a folder, as `readTokenizerFiles`.
 * @throws SpinError "notFound" for a missing file, "corrupt" for one that is not what it claims to be
 */
export async function loadClipTokenizer(folder: string, options: ClipTokenizerOptions = {}): Promise<ClipTokenizer> {
  const { ids, ranks, config, special, vocabularyFile } = await readTokenizerFiles(folder);
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
  const padTokenId = options.isOpenClip ? 0 : idOf(options.padToken ?? special.pad_token ?? eosToken);
  // transformers writes 10^30 where a model sets no limit.
  const limit = config.model_max_length ?? 77;
  const modelMaxLength = limit >= 2 && limit <= 4096 ? limit : 77;

  const encodeWord = (word: string): number[] =>
    mergeSymbols(wordSymbols(word), ranks).map((symbol) => ids.get(symbol) ?? unknownTokenId);
  const split = options.isOpenClip ? splitForOpenClip : splitSpecialTokens;
  const encodeText = (prompt: string): number[] =>
    split(prompt, bosToken, eosToken).flatMap(({ text, isSpecial }) =>
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

/** As `splitSpecialTokens`, but both tokens are looked for in the cleaned text. */
function splitForOpenClip(prompt: string, startToken: string, endToken: string): PromptPart[] {
  return splitAtToken(cleanForOpenClip(prompt), endToken).flatMap((part) =>
    part.isSpecial ? [part] : splitAtToken(part.text, startToken),
  );
}

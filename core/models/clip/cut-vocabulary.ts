import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { baseVocabulary, joinPair, pairKey, wordSymbols } from "./byte-pairs.js";
import { normalizePrompt, splitWords } from "./split-words.js";

/** A byte-pair vocabulary, as CLIP's tokenizer files hold it. */
export interface CutVocabulary {
  /** Tokens by id: CLIP's 512 byte tokens, what the merges make, start, end. */
  readonly tokens: readonly string[];
  /** Pairs in the order in which they were learnt. */
  readonly merges: readonly (readonly [left: string, right: string])[];
}

/** A distinct word of the captions while merges are learnt. */
interface Word {
  symbols: string[];
  readonly count: number;
}

const START = "<|startoftext|>";
const END = "<|endoftext|>";

/**
 * Learns byte-pair merges (Sennrich et al. 2016, algorithm 1) on captions until each of their words is one token, so that a
 * small text encoder sees words. Words outside the captions still have their pieces. The same captions give the same
 * vocabulary in any order: ties go to the pair that sorts first.
 */
export function cutVocabulary(captions: readonly string[]): CutVocabulary {
  const merges: [string, string][] = [];
  const words = countWords(captions);
  const tokens = baseVocabulary();
  const pairs = new PairCounts(words);
  for (let pair = pairs.mostFrequent(); pair !== undefined; pair = pairs.mostFrequent()) {
    const [left, right] = pair;
    merges.push([left, right]);
    tokens.push(left + right);
    pairs.merge(left, right);
  }
  // Two pairs can make the same token; its id is that of the first.
  return { tokens: [...new Set(tokens), START, END], merges };
}

/**
 * Writes the files of a tokenizer that `loadClipTokenizer` and transformers' CLIPTokenizer open.
 * @param modelMaxLength ids per prompt, start and end among them
 */
export async function writeClipTokenizer(
  folder: string,
  { tokens, merges }: CutVocabulary,
  modelMaxLength: number,
): Promise<void> {
  // As in CLIP's own files: `normalized` lets transformers find the start token in any case.
  const added = (content: string) => ({ content, lstrip: false, normalized: true, rstrip: false, single_word: false });
  const special = { bos_token: added(START), eos_token: added(END), pad_token: END, unk_token: added(END) };
  const config = {
    add_prefix_space: false,
    ...special,
    do_lower_case: true,
    errors: "replace",
    model_max_length: modelMaxLength,
    tokenizer_class: "CLIPTokenizer",
  };
  const lines = ["#version: 0.2", ...merges.map(([left, right]) => pairKey(left, right)), ""];
  await mkdir(folder, { recursive: true });
  await writeFile(
    join(folder, "vocab.json"),
    JSON.stringify(Object.fromEntries(tokens.map((token, id) => [token, id]))),
  );
  await writeFile(join(folder, "merges.txt"), lines.join("\n"));
  await writeFile(join(folder, "tokenizer_config.json"), `${JSON.stringify(config, undefined, 2)}\n`);
  await writeFile(join(folder, "special_tokens_map.json"), `${JSON.stringify(special, undefined, 2)}\n`);
}

function countWords(captions: readonly string[]): Word[] {
  const counts = new Map<string, number>();
  for (const caption of captions) {
    for (const word of splitWords(normalizePrompt(caption))) counts.set(word, (counts.get(word) ?? 0) + 1);
  }
  return [...counts].map(([word, count]) => ({ symbols: wordSymbols(word), count }));
}

/** How often each pair of neighbours occurs, and in which words; kept up to date as pairs are merged. */
class PairCounts {
  readonly #words: readonly Word[];
  readonly #counts = new Map<string, number>();
  readonly #where = new Map<string, Set<number>>();

  constructor(words: readonly Word[]) {
    this.#words = words;
    for (const index of words.keys()) this.#count(index, 1);
  }

  /** @returns the pair to merge next, or undefined when every word is one symbol */
  mostFrequent(): [left: string, right: string] | undefined {
    let best: string | undefined;
    let bestCount = 0;
    for (const [pair, count] of this.#counts) {
      if (count > bestCount || (count === bestCount && best !== undefined && pair < best)) {
        best = pair;
        bestCount = count;
      }
    }
    const [left, right] = best?.split(" ") ?? [];
    return left === undefined || right === undefined ? undefined : [left, right];
  }

  merge(left: string, right: string): void {
    for (const index of [...this.#where.get(pairKey(left, right))!]) {
      this.#count(index, -1);
      this.#words[index]!.symbols = joinPair(this.#words[index]!.symbols, left, right);
      this.#count(index, 1);
    }
  }

  /** Adds or takes away a word's pairs. */
  #count(index: number, sign: 1 | -1): void {
    const { symbols, count } = this.#words[index]!;
    for (let i = 0; i + 1 < symbols.length; i++) {
      const pair = pairKey(symbols[i]!, symbols[i + 1]!);
      const now = (this.#counts.get(pair) ?? 0) + sign * count;
      const where = this.#where.get(pair) ?? new Set();
      if (sign > 0) where.add(index);
      else where.delete(index);
      if (now === 0) {
        this.#counts.delete(pair);
        this.#where.delete(pair);
      } else {
        this.#counts.set(pair, now);
        this.#where.set(pair, where);
      }
    }
  }
}

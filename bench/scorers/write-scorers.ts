import { copyFile, mkdir, stat, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { Dtype } from "../../core/checkpoint/safetensors-header.js";
import { writeTorchFile } from "../../core/checkpoint/torch/write-torch-file.js";
import { type TensorEntry, writeSafetensors } from "../../core/checkpoint/write-safetensors.js";
import type { ParameterShapes } from "../../core/models/parameter-shapes.js";
import { PUBLISHED, type PublishedScorer } from "./published.js";
import { RandomBlock } from "./random-block.js";

export interface WriteScorersOptions {
  readonly seed: bigint;
  /** A folder with CLIP's `vocab.json` and `merges.txt`. */
  readonly tokenizer: string;
}

const TOKENIZER_FILES = ["vocab.json", "merges.txt", "tokenizer_config.json", "special_tokens_map.json"];
/** Of bert-base-uncased: special tokens at their places among 30,522. */
const BERT_SPECIAL = new Map([
  [0, "[PAD]"],
  [100, "[UNK]"],
  [101, "[CLS]"],
  [102, "[SEP]"],
  [103, "[MASK]"],
]);
const BERT_TOKENS = 30_522;

/**
 * Writes what `evaluate --scorers` takes: a folder of PickScore v1, files of HPS v2.1, ImageReward v1.0 and LAION's aesthetic head, and their
 * companions, with random weights in the published architectures, names, formats and element types. One tensor is in memory at a time.
 */
export async function* writeScorers(
  folder: string,
  { seed, tokenizer }: WriteScorersOptions,
  scorers: readonly PublishedScorer[] = PUBLISHED,
): AsyncGenerator<{ file: string; bytes: number }> {
  const random = new RandomBlock(seed);
  for (const { file, format, shapes, dtype, under, config } of scorers) {
    const path = join(folder, file);
    await mkdir(dirname(path), { recursive: true });
    const entries = tensorEntries(shapes, dtype, random);
    if (format === "safetensors") await writeSafetensors(path, entries, { format: "pt" });
    else await writeTorchFile(path, entries, under);
    if (config !== undefined) {
      await writeFile(join(dirname(path), "config.json"), `${JSON.stringify(config, undefined, 2)}\n`);
      for (const name of TOKENIZER_FILES) await copyFile(join(tokenizer, name), join(dirname(path), name));
    }
    yield { file: path, bytes: (await stat(path)).size };
  }
  const vocabulary = join(folder, "bert-base-uncased", "vocab.txt");
  await mkdir(dirname(vocabulary), { recursive: true });
  await writeFile(vocabulary, bertVocabulary());
  yield { file: vocabulary, bytes: (await stat(vocabulary)).size };
}

function tensorEntries(shapes: ParameterShapes, dtype: Dtype, random: RandomBlock): TensorEntry[] {
  return [...shapes].map(([name, shape]) => ({ name, dtype, shape, data: () => random.weight(name, shape) }));
}

/** As many tokens as bert-base-uncased has: letters, pieces of letters, and stand-ins. */
function bertVocabulary(): string {
  const pieces = [..."abcdefghijklmnopqrstuvwxyz0123456789.,!?'-"].flatMap((letter) => [letter, `##${letter}`]);
  const tokens = Array.from(
    { length: BERT_TOKENS },
    (_, id) => BERT_SPECIAL.get(id) ?? pieces.shift() ?? `[unused${id}]`,
  );
  return `${tokens.join("\n")}\n`;
}

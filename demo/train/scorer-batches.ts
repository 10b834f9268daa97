import { createPhiloxStream } from "../../core/diffusion/philox.js";
import type { ClipTextConfig } from "../../core/models/clip/config.js";
import { clipPixels } from "../../core/models/clip/pixels.js";
import { endPositions } from "../../core/models/clip/text.js";
import type { ClipTokenizer } from "../../core/models/clip/tokenizer.js";
import { augment } from "./augment.js";
import { batchIndices } from "./batches.js";
import { type Pictures, stack } from "./pictures.js";
import { EXCLUDED } from "./scorer-model.js";

/** Purposes of the random numbers drawn here, beside those of batches.ts. */
const PURPOSE = { neighbours: 16, style: 17, augmentation: 18 } as const;

/** Neighbours in the data share most words: they are the negatives that teach skin tone, gender, colour and number. */
const NEIGHBOURS = 4;

/**
 * Rows of a contrastive batch in a mixed set (2i winner, 2i + 1 other, of one caption): each caption in one of its
 * styles.
 */
export function contrastiveRows(seed: bigint, step: number, batch: number, size: number): number[] {
  const style = createPhiloxStream(seed, { iteration: step, index: 0, purpose: PURPOSE.style });
  return batchCaptions(seed, step, batch, size / 2).map((caption) => 2 * caption + style.integer(2));
}

/** Rows of a batch of preference pairs in a mixed set: winner and other of half as many captions. */
export function preferenceRows(seed: bigint, step: number, batch: number, size: number): number[] {
  return batchCaptions(seed, step, batch / 2, size / 2).flatMap((caption) => [2 * caption, 2 * caption + 1]);
}

/** Captions of a batch: half from all over, half in runs of neighbours. */
function batchCaptions(seed: bigint, step: number, count: number, captions: number): number[] {
  const anywhere = batchIndices(seed, step, count / 2, captions);
  const stream = createPhiloxStream(seed, { iteration: step, index: 0, purpose: PURPOSE.neighbours });
  const near = Array.from({ length: count / 2 / NEIGHBOURS }, () => stream.integer(captions - NEIGHBOURS + 1));
  return [...anywhere, ...near.flatMap((start) => Array.from({ length: NEIGHBOURS }, (_, i) => start + i))];
}

/** The feeds of `scorerObjective` for these rows, each picture augmented in its own way. */
export function scorerFeeds(
  pictures: Pictures,
  texts: EncodedTexts,
  rows: readonly number[],
  seed: bigint,
  step: number,
) {
  const size = Math.sqrt(pictures.images[0]!.length / 3);
  const images = rows.map((row, index) => {
    const stream = createPhiloxStream(seed, { iteration: step, index, purpose: PURPOSE.augmentation });
    return clipPixels(augment(pictures.images[row]!, size, stream));
  });
  const captions = rows.map((row) => pictures.captions[row]!);
  const same = captions.flatMap((a, i) => captions.map((b, j) => (a === b && i !== j ? EXCLUDED : 0)));
  return { pixels: stack(images), ...texts.batch(captions), same: Float32Array.from(same) };
}

/** Captions as token ids, each encoded once. */
export class EncodedTexts {
  readonly #tokenizer: ClipTokenizer;
  readonly #config: ClipTextConfig;
  readonly #known = new Map<string, Int32Array>();

  constructor(tokenizer: ClipTokenizer, config: ClipTextConfig) {
    this.#tokenizer = tokenizer;
    this.#config = config;
  }

  /** `ids` [B, N] and `ends` [B] of captions. */
  batch(captions: readonly string[]): { ids: BigInt64Array; ends: BigInt64Array } {
    const rows = captions.map((caption) => this.#encode(caption));
    return {
      ids: BigInt64Array.from(
        rows.flatMap((row) => [...row]),
        BigInt,
      ),
      ends: endPositions(rows, this.#config),
    };
  }

  #encode(caption: string): Int32Array {
    const ids = this.#known.get(caption) ?? this.#tokenizer.encode(caption, this.#config.maxPositionEmbeddings);
    this.#known.set(caption, ids);
    return ids;
  }
}

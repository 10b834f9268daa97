import type { ClipConfig } from "../../core/models/clip/config.js";
import { clipPixels } from "../../core/models/clip/pixels.js";
import { type Pictures, stack } from "./pictures.js";
import type { EncodedTexts } from "./scorer-batches.js";
import { createEmbedder } from "./scorer-model.js";

const BATCH = 16;

/** What a scorer gets right on pictures and captions that it was not trained on; shares in [0, 1], ties half. */
export interface ScorerMetrics {
  /** Of one caption's two pictures, the winner's style scores higher. */
  readonly pairAccuracy: number;
  /** Of all captions of the part, a picture's own scores highest. */
  readonly retrieval: number;
  /** A picture's own caption scores above another of the part: mean over all others. */
  readonly captionAccuracy: number;
  /** The same against the one other caption that shares the most words with its own. */
  readonly hardCaptionAccuracy: number;
  /**
   * A picture in the less liked style with its own caption scores above a winner's picture with a wrong caption: mean
   * over all.
   */
  readonly contentOverStyle: number;
  /** Captions of the part; each has two pictures. */
  readonly captions: number;
}

/**
 * Measures a scorer on a mixed part (2i winner, 2i + 1 other, of one caption).
 *
 * @param hardFrom captions that the hardest wrong one is chosen from: all that exist, so that it differs in a word or
 * two.
 */
export async function scorerMetrics(
  weights: ReadonlyMap<string, Float32Array>,
  config: ClipConfig,
  pictures: Pictures,
  texts: EncodedTexts,
  hardFrom: readonly string[],
): Promise<ScorerMetrics> {
  const captions = pictures.captions.filter((_, i) => i % 2 === 0);
  const hard = captions.map((caption) => nearest(caption, hardFrom));
  const embedder = await createEmbedder(config, BATCH, weights);
  const images = await inBatches(pictures.images, (rows) => embedder.images(stack(rows.map(clipPixels))));
  const embedTexts = (all: readonly string[]) =>
    inBatches(all, (rows) => {
      const { ids, ends } = texts.batch(rows);
      return embedder.texts(ids, ends);
    });
  const [own, wrong] = [await embedTexts(captions), await embedTexts(hard)];
  await embedder.release();

  const cosines = images.map((image) => own.map((text) => dot(image, text))); // [2·captions, captions]
  const shares = { pair: [], retrieval: [], caption: [], hard: [], content: [] } as Record<string, number[]>;
  for (const [i, row] of cosines.entries()) {
    const caption = i >> 1;
    const score = row[caption]!;
    const others = row.filter((_, j) => j !== caption);
    shares.retrieval!.push(+others.every((other) => other < score));
    shares.caption!.push(...others.map((other) => won(score, other)));
    shares.hard!.push(won(score, dot(images[i]!, wrong[caption]!)));
    if (i % 2 === 0) shares.pair!.push(won(score, cosines[i + 1]![caption]!));
    // A winner's picture of something else, under this caption.
    else {
      for (let j = 0; j < captions.length; j++)
        if (j !== caption) shares.content!.push(won(score, cosines[2 * j]![caption]!));
    }
  }
  return {
    pairAccuracy: mean(shares.pair!),
    retrieval: mean(shares.retrieval!),
    captionAccuracy: mean(shares.caption!),
    hardCaptionAccuracy: mean(shares.hard!),
    contentOverStyle: mean(shares.content!),
    captions: captions.length,
  };
}

/** The other caption that has the most words in common, the first of several. */
function nearest(caption: string, candidates: readonly string[]): string {
  const words = new Set(caption.split(" "));
  let [best, bestOverlap] = ["", -1];
  for (const candidate of candidates) {
    const others = new Set(candidate.split(" "));
    const shared = [...others].filter((word) => words.has(word)).length;
    const overlap = shared / (words.size + others.size - shared); // Jaccard's index
    if (candidate !== caption && overlap > bestOverlap) [best, bestOverlap] = [candidate, overlap];
  }
  return best;
}

/** Rows of unit length, computed in batches of one size. */
async function inBatches<T>(
  items: readonly T[],
  embed: (rows: readonly T[]) => Promise<Float32Array>,
): Promise<Float32Array[]> {
  const rows: Float32Array[] = [];
  for (let start = 0; start < items.length; start += BATCH) {
    const part = items.slice(start, start + BATCH);
    const full = [...part, ...Array.from({ length: BATCH - part.length }, () => part[0]!)];
    const embeds = await embed(full);
    const width = embeds.length / BATCH;
    for (const i of part.keys()) rows.push(embeds.slice(i * width, (i + 1) * width));
  }
  return rows;
}

function won(a: number, b: number): number {
  return a > b ? 1 : a < b ? 0 : 0.5;
}

function dot(a: Float32Array, b: Float32Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!;
  return sum;
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

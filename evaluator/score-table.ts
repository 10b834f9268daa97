import { SpinError } from "../core/errors.js";
import type { WorkerClient } from "../core/runtime/worker-client.js";
import type { Scorer as ScorerMessage } from "../proto/gen/spin/v1/evaluation.js";
import type { Features } from "./metrics/features.js";
import type { ScoreMethods } from "./score-worker.js";
import type { ScoredBatch } from "./scored-batch.js";
import { RESIDENT_BYTES } from "./scorers/resident-scorers.js";
import type { CaptionedPicture, ScoredPictures } from "./scorers/scorer.js";

/** Pictures sent to the worker at a time. */
const SCORE_BATCH = 16;
/** Pictures that every scorer in turn scores where not all of them fit into memory together: each is loaded once for so many. */
const TAKING_TURNS_BATCH = 128;

/** A scorer that the worker knows. */
export interface ActiveScorer extends ScorerMessage {
  /** Bytes of its weights. */
  readonly weightBytes: number;
}

/** Pictures that are scored by all scorers, and then kept, at a time. */
export function picturesAtATime(scorers: readonly ActiveScorer[]): number {
  const bytes = scorers.reduce((sum, { weightBytes }) => sum + weightBytes, 0);
  return bytes <= RESIDENT_BYTES ? SCORE_BATCH : TAKING_TURNS_BATCH;
}

/** What of a batch the scorers decide. */
export type BatchScores = Pick<ScoredBatch, "scores" | "similarities" | "embeddings">;

/**
 * Scores pictures with every scorer, one scorer after another. Similarities and embeddings are those of the first scorer that has some.
 * @param onScored told of each part that a scorer has done, in pictures.
 * @throws SpinError where a scorer fails: no picture goes unscored.
 */
export async function scoreBatch(
  worker: WorkerClient<ScoreMethods>,
  scorers: readonly ActiveScorer[],
  pictures: readonly CaptionedPicture[],
  signal: AbortSignal,
  onScored: (count: number) => Promise<void> = async () => undefined,
): Promise<BatchScores> {
  const scores: Record<string, number[]> = {};
  let embedded: ScoredPictures | undefined;
  for (const { name } of scorers) {
    const parts: ScoredPictures[] = [];
    for (let start = 0; start < pictures.length; start += SCORE_BATCH) {
      const part = pictures.slice(start, start + SCORE_BATCH);
      parts.push(await scorePart(worker, name, part, signal));
      await onScored(part.length);
    }
    scores[name] = parts.flatMap((part) => Array.from(part.scores));
    if (parts.every(({ embeddings }) => embeddings !== undefined)) embedded ??= joined(parts);
  }
  const similarities = embedded?.similarities && Array.from(embedded.similarities);
  return { scores, similarities, embeddings: embedded?.embeddings };
}

async function scorePart(
  worker: WorkerClient<ScoreMethods>,
  name: string,
  pictures: readonly CaptionedPicture[],
  signal: AbortSignal,
): Promise<ScoredPictures> {
  const scored = await worker.call("score", { name, pictures }, { signal });
  if (scored.scores.length === pictures.length && scored.scores.every(Number.isFinite)) return scored;
  throw new SpinError("internal", `the scorer ${name} did not give ${pictures.length} finite scores`, {
    remedy: "replace the scorer",
  });
}

/** One scorer's parts as one. */
function joined(parts: readonly ScoredPictures[]): ScoredPictures {
  const join = (arrays: readonly (Float32Array | undefined)[]): Float32Array | undefined =>
    arrays.includes(undefined) ? undefined : Float32Array.from(arrays.flatMap((values) => Array.from(values!)));
  return {
    scores: join(parts.map(({ scores }) => scores))!,
    similarities: join(parts.map(({ similarities }) => similarities)),
    embeddings: join(parts.map(({ embeddings }) => embeddings)),
  };
}

/** Scores, similarities and embeddings of a set of pictures, filled batch by batch. */
export class ScoreTable {
  readonly scores: ReadonlyMap<string, Float64Array>;
  /** Pictures scored so far. */
  filled = 0;
  readonly #size: number;
  #similarities: Float64Array | undefined;
  #embeddings: Float32Array | undefined;

  /** @param scorers their names; @param size pictures in all. */
  constructor(scorers: readonly string[], size: number) {
    this.#size = size;
    this.scores = new Map(scorers.map((name) => [name, new Float64Array(size)]));
  }

  /** Adds the next batch. */
  put({ count, scores, similarities, embeddings }: Omit<ScoredBatch, "first">): void {
    for (const [name, column] of this.scores) column.set(scores[name]!, this.filled);
    if (similarities !== undefined) {
      this.#similarities ??= new Float64Array(this.#size);
      this.#similarities.set(similarities, this.filled);
    }
    if (embeddings !== undefined) {
      const width = embeddings.length / count;
      this.#embeddings ??= new Float32Array(this.#size * width);
      this.#embeddings.set(embeddings, this.filled * width);
    }
    this.filled += count;
  }

  /** Undefined where no scorer has embeddings. [pictures] */
  get similarities(): Float64Array | undefined {
    return this.#similarities;
  }

  /** Undefined where no scorer has any. [pictures, width] */
  get features(): Features | undefined {
    const data = this.#embeddings;
    return data && { data, rows: this.#size, columns: data.length / this.#size };
  }
}

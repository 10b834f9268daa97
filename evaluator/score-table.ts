import { SpinError } from "../core/errors.js";
import type { WorkerClient } from "../core/runtime/worker-client.js";
import type { Scorer as ScorerMessage } from "../proto/gen/spin/v1/evaluation.js";
import type { Features } from "./metrics/features.js";
import type { ScoreMethods } from "./score-worker.js";
import type { ScoredBatch } from "./scored-batch.js";
import type { CaptionedPicture, ScoredPictures } from "./scorers/scorer.js";

/** Pictures sent to the worker at a time. */
export const SCORE_BATCH = 16;

/** A scorer in the worker's memory. */
export interface ActiveScorer extends ScorerMessage {
  readonly folder: string;
}

/** What of a batch the scorers decide. */
export type BatchScores = Pick<ScoredBatch, "scores" | "similarities" | "embeddings">;

/**
 * Scores pictures with every scorer. Similarities and embeddings are those of the first scorer that has some.
 * @throws SpinError where a scorer fails: no picture goes unscored.
 */
export async function scoreBatch(
  worker: WorkerClient<ScoreMethods>,
  scorers: readonly ActiveScorer[],
  pictures: readonly CaptionedPicture[],
  signal: AbortSignal,
): Promise<BatchScores> {
  const scores: Record<string, number[]> = {};
  let embedded: ScoredPictures | undefined;
  for (const { name, folder } of scorers) {
    const scored = await worker.call("score", { folder, pictures }, { signal });
    if (scored.scores.length !== pictures.length || !scored.scores.every(Number.isFinite)) {
      throw new SpinError("internal", `the scorer ${name} did not give ${pictures.length} finite scores`, {
        remedy: "replace the scorer",
      });
    }
    scores[name] = Array.from(scored.scores);
    if (scored.embeddings !== undefined) embedded ??= scored;
  }
  const similarities = embedded?.similarities && Array.from(embedded.similarities);
  return { scores, similarities, embeddings: embedded?.embeddings };
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

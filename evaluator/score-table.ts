import { SpinError } from "../core/errors.js";
import type { WorkerClient } from "../core/runtime/worker-client.js";
import type { Scorer as ScorerMessage } from "../proto/gen/spin/v1/evaluation.js";
import type { Features } from "./metrics/features.js";
import type { ScoreMethods } from "./score-worker.js";
import type { CaptionedPicture, ScoredPictures } from "./scorers/scorer.js";

/** Pictures sent to the worker at a time. */
export const SCORE_BATCH = 16;

/** A scorer in the worker's memory. */
export interface ActiveScorer extends ScorerMessage {
  readonly folder: string;
}

/** Scores, similarities and embeddings of a set of pictures, filled batch by batch by the compute worker. */
export class ScoreTable {
  readonly scores: ReadonlyMap<string, Float64Array>;
  readonly similarities: Float64Array;
  /** Pictures scored so far. */
  filled = 0;
  readonly #worker: WorkerClient<ScoreMethods>;
  readonly #scorers: readonly ActiveScorer[];
  #embeddings: Float32Array | undefined;

  /** @param size pictures in all. */
  constructor(worker: WorkerClient<ScoreMethods>, scorers: readonly ActiveScorer[], size: number) {
    this.#worker = worker;
    this.#scorers = scorers;
    this.scores = new Map(scorers.map(({ name }) => [name, new Float64Array(size)]));
    this.similarities = new Float64Array(size);
  }

  /** Scores the next pictures with every scorer. @throws SpinError where a scorer fails: no picture goes unscored. */
  async add(pictures: readonly CaptionedPicture[], signal: AbortSignal): Promise<void> {
    for (const [i, { name, folder }] of this.#scorers.entries()) {
      const scored = await this.#worker.call("score", { folder, pictures }, { signal });
      if (scored.scores.length !== pictures.length || !scored.scores.every(Number.isFinite)) {
        throw new SpinError("internal", `the scorer ${name} did not give ${pictures.length} finite scores`, {
          remedy: "replace the scorer",
        });
      }
      this.scores.get(name)!.set(scored.scores, this.filled);
      if (i === 0) this.#keep(scored);
    }
    this.filled += pictures.length;
  }

  /** Embeddings of the first scorer. [pictures, width] */
  get features(): Features {
    const data = this.#embeddings ?? new Float32Array(0);
    const rows = this.similarities.length;
    return { data, rows, columns: data.length / rows };
  }

  /** What everything else is measured with: the first scorer's embeddings. */
  #keep({ similarities, embeddings, width }: ScoredPictures): void {
    this.similarities.set(similarities, this.filled);
    this.#embeddings ??= new Float32Array(this.similarities.length * width);
    this.#embeddings.set(embeddings, this.filled * width);
  }
}

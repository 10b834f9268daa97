import type { RgbImage } from "../../core/data/image.js";

/** A picture with the prompt that it is to show. */
export interface CaptionedPicture {
  readonly image: RgbImage;
  readonly caption: string;
}

/** What a scorer says of N pictures. */
export interface ScoredPictures {
  /** [N], in the scorer's own units; higher is better. */
  readonly scores: Float32Array;
  /** Cosine between picture and prompt, [N], −1 to 1. Absent where the scorer has no embeddings, as `embeddings` is. */
  readonly similarities?: Float32Array;
  /** Embeddings of the pictures, not normalised. [N, width] */
  readonly embeddings?: Float32Array;
}

/** A model that tells how well a picture shows its prompt. Blocks while it computes: services hold it in a worker. */
export interface Scorer {
  /**
   * @throws SpinError `internal` where a score is not finite; `cancelled` between two batches once the signal is
   * aborted.
   */
  score(pictures: readonly CaptionedPicture[], signal?: AbortSignal): Promise<ScoredPictures>;
  release(): Promise<void>;
}

import type { SessionOptions } from "../core/graph/session.js";
import type { DatasetRef } from "../proto/gen/spin/v1/common.js";
import type { SamplingSpec } from "../proto/gen/spin/v1/sampling.js";
import type { CheckpointFolder } from "./checkpoint-folder.js";
import type { CacheCounts } from "./condition-encoder.js";
import type { Draws } from "./draws.js";
import type { Picture, PictureJob } from "./pictures.js";

/** What a compute worker is told once, before all else. */
export interface WorkerSettings {
  readonly session: Required<Pick<SessionOptions, "threads" | "device">>;
  /** Most checkpoints in memory. */
  readonly maxLoaded: number;
  /** Bound of encoded captions and pictures in memory, in bytes. */
  readonly encodedBytes: number;
}

/** What a batch took. */
export interface BatchCost {
  readonly seconds: number;
  /** Samples that went through the UNet, over all runs. */
  readonly unetEvaluations: number;
  readonly encodings: CacheCounts;
  /** Digests of the checkpoints in memory afterwards, most recently used first. */
  readonly loaded: readonly string[];
}

export interface DrawsAnswer {
  readonly draws: Draws;
  /** [C, H, W] */
  readonly latentShape: readonly number[];
  /** Text states of the samples' captions, [S, L, X]. */
  readonly states: { readonly shape: readonly number[]; readonly data: Float32Array };
  readonly cost: BatchCost;
}

export interface PicturesAnswer {
  readonly pictures: readonly Picture[];
  readonly cost: BatchCost;
}

/** What the generator's compute worker does; a type, as WorkerClient wants it. */
export type ComputeMethods = {
  /** @throws SpinError `precondition` where the execution provider does not load. */
  configure(settings: WorkerSettings, signal: AbortSignal): Promise<void>;
  /** Captions of a data set. @throws SpinError `invalid` for an index outside */
  captions(
    request: { readonly dataset: DatasetRef; readonly indices: readonly number[] },
    signal: AbortSignal,
  ): Promise<string[]>;
  /** The batch of a checked spec that begins with `firstIndex`. */
  draws(
    request: { readonly checkpoint: CheckpointFolder; readonly spec: SamplingSpec; readonly firstIndex: number },
    signal: AbortSignal,
  ): Promise<DrawsAnswer>;
  /** A batch of pictures. */
  pictures(
    request: { readonly checkpoint: CheckpointFolder; readonly job: PictureJob },
    signal: AbortSignal,
  ): Promise<PicturesAnswer>;
};

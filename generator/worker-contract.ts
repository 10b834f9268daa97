import type { DataFolders } from "../core/data/data-folder.js";
import type { SessionOptions } from "../core/graph/session.js";
import type { DatasetRef } from "../proto/gen/spin/v1/common.js";
import type { DataReport } from "../proto/gen/spin/v1/data.js";
import type { SamplingSpec } from "../proto/gen/spin/v1/sampling.js";
import type { CheckpointFolder } from "./checkpoint-folder.js";
import type { CacheCounts } from "./condition-encoder.js";
import type { BatchStamp } from "./draw-message.js";
import type { EncodedDisk } from "./encoded-store.js";
import type { Picture, PictureJob } from "./pictures.js";

/** What a compute worker is told once, before all else. */
export interface WorkerSettings {
  readonly session: Required<Pick<SessionOptions, "threads" | "device">>;
  /** Most checkpoints in memory. */
  readonly maxLoaded: number;
  /** Bound of encoded captions and pictures in memory, in bytes. */
  readonly encodedBytes: number;
  /** Where they are kept on disk, too, and their bound there; undefined: nowhere. */
  readonly encodedDisk?: EncodedDisk;
  /** Where data that are not built in lie. */
  readonly data: DataFolders;
}

/** What a batch took. */
export interface BatchCost {
  readonly seconds: number;
  /** Samples that went through the UNet, over all runs. */
  readonly unetEvaluations: number;
  readonly encodings: CacheCounts;
  /** Digests of the checkpoints in memory afterwards, most recently used first. */
  readonly loaded: readonly string[];
  /** What became of the rows of the data sets opened so far. */
  readonly data: readonly DataReport[];
}

export interface DrawsRequest {
  readonly checkpoint: CheckpointFolder;
  /** The earlier opponent that draws the synthetic side; absent where the checkpoint does. */
  readonly opponent?: CheckpointFolder;
  /** A checked spec. */
  readonly spec: SamplingSpec;
  /** What the batch is stamped with; its first sample says which batch to compute. */
  readonly stamp: BatchStamp;
}

export interface DrawsAnswer {
  /** A SampleTrajectoriesResponse, encoded. */
  readonly message: Uint8Array;
  /** What of the batch's time went into encoding. */
  readonly encodeSeconds: number;
  readonly cost: BatchCost;
}

export interface PicturesRequest {
  readonly checkpoint: CheckpointFolder;
  readonly job: PictureJob;
}

export interface PicturesAnswer {
  readonly pictures: readonly Picture[];
  readonly cost: BatchCost;
}

export interface CaptionsRequest {
  readonly dataset: DatasetRef;
  /** Each index with its field in the request, for errors. */
  readonly indices: readonly { readonly index: number; readonly field: string }[];
}

/** What the generator's compute worker does; a type, as WorkerClient wants it. */
export type ComputeMethods = {
  configure(settings: WorkerSettings, signal: AbortSignal): Promise<void>;
  /** Captions of a data set. @throws SpinError `invalid` for an index outside */
  captions(request: CaptionsRequest, signal: AbortSignal): Promise<string[]>;
  /** Computes a batch of draws. */
  draws(request: DrawsRequest, signal: AbortSignal): Promise<DrawsAnswer>;
  /** Computes a batch of pictures. */
  pictures(request: PicturesRequest, signal: AbortSignal): Promise<PicturesAnswer>;
};

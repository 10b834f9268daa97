import type { UnetConditions } from "../core/runtime/conditions.js";
import type { FloatTensor } from "../core/runtime/float-tensor.js";
import { sealedBatch } from "../core/service/content-digest.js";
import { encodeTensor } from "../core/service/tensor-codec.js";
import { SampleTrajectoriesResponse } from "../proto/gen/spin/v1/generator_service.js";
import type { DrawBatch, DrawSide as DrawSideMessage } from "../proto/gen/spin/v1/sampling.js";
import type { DrawSide, Draws } from "./draws.js";

/** What a batch is stamped with, besides its draws. */
export type BatchStamp = Pick<
  DrawBatch,
  "firstIndex" | "numSamples" | "specDigest" | "checkpointDigest" | "computeFingerprint" | "traceparent"
>;

/** A computed batch. */
export interface ComputedBatch {
  readonly draws: Draws;
  /** [C, H, W] */
  readonly latentShape: readonly number[];
  /** Of the samples, S rows. */
  readonly conditions: UnetConditions;
  readonly seconds: number;
}

/**
 * The bytes of the response that carries a batch. Made in the worker: each level of nesting copies the tensors once more, some 5 ms per
 * megabyte that the event loop would stand still for.
 */
export function encodeDraws({ draws, latentShape, conditions, seconds }: ComputedBatch, stamp: BatchStamp): Uint8Array {
  const rows = draws.timesteps.length;
  const side = ({ noisyLatents, target, referenceError }: DrawSide): DrawSideMessage => ({
    noisyLatents: encodeTensor([rows, ...latentShape], noisyLatents),
    target: encodeTensor([rows, ...latentShape], target),
    referenceError: referenceError && encodeTensor([rows], referenceError),
  });
  const tensor = ({ shape, data }: FloatTensor) => encodeTensor(shape, data);
  const batch = sealedBatch({
    ...stamp,
    timesteps: encodeTensor([rows], draws.timesteps),
    previousTimesteps: draws.previousTimesteps && encodeTensor([rows], draws.previousTimesteps),
    encoderHiddenStates: tensor(conditions.states),
    textEmbeds: conditions.textEmbeds && tensor(conditions.textEmbeds),
    timeIds: conditions.timeIds && tensor(conditions.timeIds),
    real: side(draws.real),
    synthetic: draws.synthetic && side(draws.synthetic),
    computeSeconds: seconds,
    contentDigest: "",
  });
  return SampleTrajectoriesResponse.encode({ batch }).finish();
}

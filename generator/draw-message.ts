import { encodeTensor } from "../core/service/tensor-codec.js";
import type { DrawBatch, DrawSide as DrawSideMessage } from "../proto/gen/spin/v1/sampling.js";
import type { DrawSide } from "./draws.js";
import type { DrawsAnswer } from "./worker-contract.js";

/** What a batch is stamped with, besides its draws. */
export type BatchStamp = Pick<
  DrawBatch,
  "firstIndex" | "numSamples" | "specDigest" | "checkpointDigest" | "computeFingerprint" | "traceparent"
>;

/** A batch of draws as its message. */
export function drawBatch({ draws, latentShape, states, cost }: DrawsAnswer, stamp: BatchStamp): DrawBatch {
  const rows = draws.timesteps.length;
  const side = ({ noisyLatents, target, referenceError }: DrawSide): DrawSideMessage => ({
    noisyLatents: encodeTensor([rows, ...latentShape], noisyLatents),
    target: encodeTensor([rows, ...latentShape], target),
    referenceError: referenceError && encodeTensor([rows], referenceError),
  });
  return {
    ...stamp,
    timesteps: encodeTensor([rows], draws.timesteps),
    previousTimesteps: draws.previousTimesteps && encodeTensor([rows], draws.previousTimesteps),
    encoderHiddenStates: encodeTensor(states.shape, states.data),
    real: side(draws.real),
    synthetic: draws.synthetic && side(draws.synthetic),
    computeSeconds: cost.seconds,
  };
}

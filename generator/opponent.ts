import type { CheckpointRef } from "../proto/gen/spin/v1/checkpoint.js";
import type { SamplingSpec } from "../proto/gen/spin/v1/sampling.js";

/**
 * The opponent of an earlier iteration that draws the synthetic side of a batch; undefined where θ_k does. Of any number of batches in a
 * row their share is right to within one, and they take turns: no random number could spread them more evenly.
 *
 * @param firstIndex index of the batch's first sample
 */
export function earlierOpponent(spec: SamplingSpec, firstIndex: number): CheckpointRef | undefined {
  const { earlierCheckpoints, earlierShare } = spec;
  const batch = firstIndex / spec.settings!.batchSize;
  const [before, after] = [Math.floor(batch * earlierShare), Math.floor((batch + 1) * earlierShare)];
  return after > before ? earlierCheckpoints[before % earlierCheckpoints.length] : undefined;
}

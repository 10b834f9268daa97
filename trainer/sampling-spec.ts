import type { DatasetRef } from "../proto/gen/spin/v1/common.js";
import type { SamplingSpec } from "../proto/gen/spin/v1/sampling.js";
import type { Run } from "../proto/gen/spin/v1/trainer_service.js";
import { type CheckedSpec, formOf } from "./settings.js";

/** What the trainer knows of an iteration beside the chosen settings. */
export interface IterationFacts {
  readonly run: Run;
  /** k, from 1. */
  readonly number: number;
  /** θ_k. */
  readonly baseDigest: string;
  /** As the objective takes it: pictures or pairs, with its digest. */
  readonly dataset: DatasetRef;
  /** Opponents of the run's earlier iterations, θ_0 first. */
  readonly earlierDigests: readonly string[];
  /** Of the only generators that may draw. */
  readonly computeFingerprint: string;
}

/** The job whose samples an iteration consumes. Its digest is the draws' identity. */
export function samplingSpecOf(spec: CheckedSpec, facts: IterationFacts): SamplingSpec {
  const { run, number, baseDigest, dataset, computeFingerprint } = facts;
  // θ_0 has a name under MODEL_DIR; later ones are known by their digest alone.
  const ref = (digest: string) => ({ digest, modelName: digest === run.base!.digest ? run.base!.modelName : "" });
  const earlier = spec.earlierShare > 0 ? facts.earlierDigests : [];
  return {
    checkpoint: ref(baseDigest),
    dataset,
    seed: run.seed,
    iteration: number,
    form: formOf(spec.objective),
    settings: spec.sampling,
    computeFingerprint,
    earlierCheckpoints: earlier.map(ref),
    earlierShare: earlier.length > 0 ? spec.earlierShare : 0,
  };
}

import { requireSuccess } from "../../cli/remote/jobs.js";
import type { Split } from "../../core/data/dataset.js";
import type { RpcChannel } from "../../core/service/client.js";
import { EvaluationSpec } from "../../proto/gen/spin/v1/evaluation.js";
import { type Evaluation, EvaluatorServiceService } from "../../proto/gen/spin/v1/evaluator_service.js";
import { SamplerKind } from "../../proto/gen/spin/v1/sampling.js";
import type { Budget } from "./settings.js";

/** A checkpoint to measure. */
export interface Candidate {
  readonly label: string;
  /** Digest, and the name of its folder where it is no checkpoint of the trainer. */
  readonly checkpoint: { readonly digest: string; readonly modelName: string };
  /** Optimiser steps since the base. */
  readonly steps: number;
}

/** What is measured on which prompts, the same for all that is compared. */
export function evaluationSpec(
  candidates: readonly Candidate[],
  split: Split,
  { noiseSeeds, samplingSteps, guidance, maxPrompts, bootstrap }: Budget,
): EvaluationSpec {
  return EvaluationSpec.fromPartial({
    checkpoints: candidates.map(({ label, checkpoint, steps }) => ({ label, checkpoint, totalSteps: steps })),
    prompts: { name: "emoji/winners", split },
    maxPrompts,
    seeds: [...noiseSeeds],
    sampler: {
      kind: SamplerKind.SAMPLER_KIND_DDIM,
      numSteps: samplingSteps,
      eta: 0,
      guidanceScale: guidance,
    },
    batchSize: 16,
    scorers: ["scorer"],
    bootstrapSamples: split === "test" ? bootstrap.results : bootstrap.search,
  });
}

/** Runs an evaluation to its end, or joins or takes up the one that an earlier process started. */
export async function evaluate(
  evaluator: RpcChannel,
  key: string,
  spec: EvaluationSpec,
  onPicture: (done: number, total: number) => void,
): Promise<Evaluation> {
  const request = { requestId: `evaluation-${key}`, spec, resume: true };
  let last = (await evaluator.call(EvaluatorServiceService.startEvaluation, request)).evaluation!;
  const watched = { evaluationId: last.evaluationId, afterSequence: 0 };
  for await (const { event } of evaluator.stream(EvaluatorServiceService.watchEvaluation, watched)) {
    if (event?.$case === "progress") onPicture(event.value.allImagesDone, event.value.allImagesTotal);
    else if (event?.$case === "stateChange") last = event.value;
  }
  requireSuccess(last, `the evaluation of ${spec.checkpoints.map(({ label }) => label).join(", ")}`);
  return last;
}

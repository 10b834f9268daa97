import { digestOf } from "../core/canonical-json.js";
import { SpinError } from "../core/errors.js";
import type { RpcChannel } from "../core/service/client.js";
import type { CheckpointRef } from "../proto/gen/spin/v1/checkpoint.js";
import { type DatasetRef, JobState } from "../proto/gen/spin/v1/common.js";
import { EvaluationSpec } from "../proto/gen/spin/v1/evaluation.js";
import { type Evaluation, EvaluatorServiceService } from "../proto/gen/spin/v1/evaluator_service.js";
import { SamplerKind } from "../proto/gen/spin/v1/sampling.js";
import { firstUsable, hasEnded } from "./jobs.js";
import { RECIPE } from "./recipe.js";

/** A checkpoint to evaluate. */
export interface Candidate {
  readonly name: string;
  readonly checkpoint: CheckpointRef;
  /** Optimiser steps since the base. */
  readonly steps: number;
}

/** Evaluates checkpoints on the same prompts and noise; reports pictures done. */
export async function evaluateCheckpoints(
  evaluator: RpcChannel,
  candidates: readonly Candidate[],
  prompts: DatasetRef,
  onProgress: (label: string, done: number, total: number) => void,
): Promise<Evaluation> {
  const spec = EvaluationSpec.fromPartial({
    checkpoints: candidates.map(({ name, checkpoint, steps }) => ({ label: name, checkpoint, totalSteps: steps })),
    prompts,
    seeds: [...RECIPE.evaluationSeeds],
    sampler: {
      kind: SamplerKind.SAMPLER_KIND_DDIM,
      numSteps: RECIPE.samplingSteps,
      eta: 0,
      guidanceScale: RECIPE.evaluationGuidance,
    },
    batchSize: 16,
    scorers: ["scorer"],
  });
  let last = await firstUsable("evaluation", async (requestId) => {
    const request = { requestId: `${requestId}-${digestOf(EvaluationSpec.toJSON(spec)).slice(7, 19)}`, spec };
    return (await evaluator.call(EvaluatorServiceService.startEvaluation, request)).evaluation!;
  });
  const { evaluationId } = last;
  const watch = evaluator.stream(EvaluatorServiceService.watchEvaluation, { evaluationId, afterSequence: 0 });
  for await (const { event } of watch) {
    if (event?.$case === "progress") onProgress(event.value.label, event.value.imagesDone, event.value.imagesTotal);
    if (event?.$case === "stateChange") {
      last = event.value;
      if (hasEnded(last)) break;
    }
  }
  if (last.state !== JobState.JOB_STATE_SUCCEEDED) {
    throw new SpinError("internal", `the evaluation did not succeed: ${last.failure?.message ?? "no reason given"}`);
  }
  return last;
}

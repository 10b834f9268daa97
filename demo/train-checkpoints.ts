import { SpinError } from "../core/errors.js";
import type { RpcChannel } from "../core/service/client.js";
import type { CheckpointRef } from "../proto/gen/spin/v1/checkpoint.js";
import type { DatasetRef } from "../proto/gen/spin/v1/common.js";
import { JobState } from "../proto/gen/spin/v1/common.js";
import { CreateRunRequest, TrainerServiceService } from "../proto/gen/spin/v1/trainer_service.js";
import type { IterationSpec, StepMetrics } from "../proto/gen/spin/v1/training.js";
import { firstUsable, hasEnded } from "./jobs.js";

/** What came out of one iteration. */
export interface Trained {
  readonly name: string;
  readonly digest: string;
  readonly parentDigest: string;
  readonly steps: readonly StepMetrics[];
}

/** Creates a run on the base, or finds the one that an earlier attempt created. */
export async function createRun(
  trainer: RpcChannel,
  name: string,
  base: CheckpointRef,
  dataset: DatasetRef,
  seed: bigint,
): Promise<string> {
  const request = CreateRunRequest.fromPartial({ requestId: `demo-${name}`, displayName: name, base, dataset, seed });
  return (await trainer.call(TrainerServiceService.createRun, request)).run!.runId;
}

/** Runs an iteration to its end, or joins one that an earlier attempt started; reports each step. */
export async function trainIteration(
  trainer: RpcChannel,
  runId: string,
  spec: IterationSpec,
  onStep: (step: StepMetrics) => void,
): Promise<Trained> {
  let last = await firstUsable(spec.displayName, async (requestId) => {
    return (await trainer.call(TrainerServiceService.startIteration, { requestId, runId, spec })).iteration!;
  });
  const { iterationId } = last;
  const steps: StepMetrics[] = [];
  const watch = trainer.stream(TrainerServiceService.watchIteration, { iterationId, afterSequence: 0 });
  for await (const { event } of watch) {
    if (event?.$case === "step") {
      steps.push(event.value);
      onStep(event.value);
    } else if (event?.$case === "stateChange") {
      last = event.value;
      if (hasEnded(last)) break;
    }
  }
  if (last.state !== JobState.JOB_STATE_SUCCEEDED) {
    throw new SpinError(
      "internal",
      `${spec.displayName} did not succeed: ${last.failure?.message ?? "no reason given"}`,
    );
  }
  return { name: spec.displayName, digest: last.checkpointDigest, parentDigest: last.baseDigest, steps };
}

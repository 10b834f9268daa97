import { toIterationSpec } from "../../cli/run/iteration-spec.js";
import type { IterationSettings } from "../../cli/run/settings.js";
import { SpinError } from "../../core/errors.js";
import type { RpcChannel } from "../../core/service/client.js";
import { JobState } from "../../proto/gen/spin/v1/common.js";
import { CreateRunRequest, TrainerServiceService } from "../../proto/gen/spin/v1/trainer_service.js";
import { firstUsable, hasEnded } from "../jobs.js";

/** What is trained from what. */
export interface Training {
  readonly label: string;
  /** Digest of θ_0, and the name of its folder where it is no checkpoint of the trainer. */
  readonly base: { readonly digest: string; readonly modelName: string };
  readonly dataset: { readonly name: string; readonly split: string };
  readonly seed: bigint;
  readonly settings: IterationSettings;
}

/** A checkpoint that came out, the last at the end. */
export interface TrainedCheckpoint {
  readonly steps: number;
  readonly digest: string;
}

/** What became of a training. */
export interface TrainingOutcome {
  /** In order of steps; empty where it was ended because it diverged. */
  readonly checkpoints: readonly TrainedCheckpoint[];
  /** Why it was ended. */
  readonly diverged?: string;
  readonly seconds: number;
}

/** The reason that a trainer gives where an iteration diverges. */
const DIVERGED = "DIVERGED";

/**
 * Trains one iteration as a run of its own, or joins the one that an earlier process started.
 * @param key of all that decides it, for request ids
 * @throws SpinError `internal` where it fails for another reason than divergence
 */
export async function train(
  trainer: RpcChannel,
  key: string,
  { label, base, dataset, seed, settings }: Training,
  onStep: (done: number) => void,
): Promise<TrainingOutcome> {
  const started = performance.now();
  const asked = CreateRunRequest.fromPartial({ requestId: `run-${key}`, displayName: label, base, dataset, seed });
  const { runId } = (await trainer.call(TrainerServiceService.createRun, asked)).run!;
  const spec = toIterationSpec(settings, label);
  let isFresh = true;
  const start = async (requestId: string) => {
    const { iteration } = await trainer.call(TrainerServiceService.startIteration, { requestId, runId, spec });
    isFresh = iteration!.state === JobState.JOB_STATE_QUEUED || iteration!.state === JobState.JOB_STATE_RUNNING;
    return iteration!;
  };
  // One that diverged would do so again: that is its result.
  let last = await firstUsable(key, start, ({ failure }) => failure?.reason === DIVERGED);
  const checkpoints: TrainedCheckpoint[] = [];
  const watched = { iterationId: last.iterationId, afterSequence: 0 };
  for await (const { event } of trainer.stream(TrainerServiceService.watchIteration, watched)) {
    if (event?.$case === "step") onStep(event.value.step);
    else if (event?.$case === "checkpoint") checkpoints.push({ steps: event.value.step, digest: event.value.digest });
    else if (event?.$case === "stateChange") {
      last = event.value;
      if (hasEnded(last)) break;
    }
  }
  const seconds = isFresh ? (performance.now() - started) / 1000 : 0;
  if (last.failure?.reason === DIVERGED) return { checkpoints: [], diverged: last.failure.message, seconds };
  if (last.state !== JobState.JOB_STATE_SUCCEEDED) {
    throw new SpinError("internal", `${label} did not succeed: ${last.failure?.message ?? "no reason given"}`);
  }
  return { checkpoints, seconds };
}

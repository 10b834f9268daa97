import type { RpcChannel } from "../../core/service/client.js";
import { JobState } from "../../proto/gen/spin/v1/common.js";
import { CropKind, SamplerKind, type SamplingSettings, TimestepChoice } from "../../proto/gen/spin/v1/sampling.js";
import { DataType } from "../../proto/gen/spin/v1/tensor.js";
import {
  CreateRunRequest,
  type Iteration,
  type Run,
  TrainerServiceService,
  type WatchIterationResponse,
} from "../../proto/gen/spin/v1/trainer_service.js";
import {
  DpoLoss,
  ErrorReduction,
  ErrorSpace,
  IterationSpec,
  type StepMetrics,
} from "../../proto/gen/spin/v1/training.js";

/** Small settings for iterations of the tiny model, and the calls that run them. */

const SAMPLING: SamplingSettings = {
  sampler: {
    kind: SamplerKind.SAMPLER_KIND_DDIM,
    numSteps: 5,
    eta: 1,
    guidanceScale: 2,
    guidanceRescale: 0,
    clipSkip: 0,
  },
  timestepChoice: TimestepChoice.TIMESTEP_CHOICE_UNIFORM,
  drawsPerSample: 2,
  promptDropout: 0.1,
  image: { resolution: 0, crop: CropKind.CROP_KIND_RANDOM, flipProbability: 0 },
  dtype: DataType.DATA_TYPE_FLOAT32,
  batchSize: 2,
  threads: 0,
  clipSkip: 0,
};

const OBJECTIVES: Readonly<Record<string, NonNullable<IterationSpec["objective"]>>> = {
  spin: {
    $case: "spin",
    value: {
      weight: { $case: "lambda", value: 0.01 },
      errorSpace: ErrorSpace.ERROR_SPACE_MU,
      reduction: ErrorReduction.ERROR_REDUCTION_SUM,
    },
  },
  spinExact: {
    $case: "spinExact",
    value: {
      lambda: 0.002,
      errorSpace: ErrorSpace.ERROR_SPACE_MU,
      reduction: ErrorReduction.ERROR_REDUCTION_SUM,
    },
  },
  spinRenoised: { $case: "spinRenoised", value: { beta: 200 } },
  sft: { $case: "sft", value: {} },
  dpo: { $case: "dpo", value: { beta: 200, loss: DpoLoss.DPO_LOSS_UNSPECIFIED } },
};

/** Three optimiser steps over four samples of two draws, in two micro-batches each. */
export function smallSpec(
  objective: "spin" | "spinExact" | "spinRenoised" | "sft" | "dpo",
  change: Partial<IterationSpec> = {},
): IterationSpec {
  const sampling = objective === "sft" || objective === "dpo" ? { ...SAMPLING, sampler: undefined } : SAMPLING;
  const everyStep = { timestepChoice: TimestepChoice.TIMESTEP_CHOICE_ALL, drawsPerSample: 5 };
  return IterationSpec.fromPartial({
    displayName: objective,
    objective: OBJECTIVES[objective],
    sampling: objective === "spinExact" ? { ...sampling, ...everyStep } : sampling,
    optimizer: { learningRate: 1e-3 },
    numSteps: 3,
    batchSize: 4,
    microBatchSize: 4,
    ...change,
  });
}

/** Creates a run from the model folder `tiny` and the built-in data. */
export async function createRun(channel: RpcChannel, requestId = "run"): Promise<Run> {
  const request = CreateRunRequest.fromPartial({
    requestId,
    base: { modelName: "tiny" },
    dataset: { name: "emoji", split: "train" },
    seed: 5775709n,
  });
  return (await channel.call(TrainerServiceService.createRun, request)).run!;
}

/** An iteration that has ended, and all that was told of it. */
export interface Ended {
  readonly iteration: Iteration;
  readonly events: readonly WatchIterationResponse[];
  readonly steps: readonly StepMetrics[];
}

/** Starts an iteration and watches it to its end. */
export async function iterate(
  channel: RpcChannel,
  runId: string,
  requestId: string,
  spec: IterationSpec,
): Promise<Ended> {
  const { iteration } = await channel.call(TrainerServiceService.startIteration, { requestId, runId, spec });
  return watch(channel, iteration!.iterationId);
}

/** Watches an iteration to its end. */
export async function watch(channel: RpcChannel, iterationId: string, afterSequence = 0): Promise<Ended> {
  const events: WatchIterationResponse[] = [];
  const request = { iterationId, afterSequence };
  for await (const event of channel.stream(TrainerServiceService.watchIteration, request)) events.push(event);
  const last = events.at(-1)?.event;
  if (last?.$case !== "stateChange") throw new Error("the stream ended before the iteration");
  const steps = events.flatMap(({ event }) => (event?.$case === "step" ? [event.value] : []));
  return { iteration: last.value, events, steps };
}

/** Its checkpoint's digest; fails with the iteration's own words where it did not succeed. */
export function succeeded({ iteration }: Ended): string {
  expect(iteration.failure).toBeUndefined();
  expect(iteration.state).toBe(JobState.JOB_STATE_SUCCEEDED);
  return iteration.checkpointDigest;
}

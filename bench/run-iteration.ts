import type { RpcChannel } from "../core/service/client.js";
import { JobState } from "../proto/gen/spin/v1/common.js";
import { CropKind, SamplerKind, TimestepChoice } from "../proto/gen/spin/v1/sampling.js";
import { DataType } from "../proto/gen/spin/v1/tensor.js";
import { CreateRunRequest, type Iteration, TrainerServiceService } from "../proto/gen/spin/v1/trainer_service.js";
import { IterationSpec, type StepMetrics } from "../proto/gen/spin/v1/training.js";

/** What an iteration of the built-in data does. */
export interface IterationSettings {
  /** Under MODEL_DIR of the services. */
  readonly model: string;
  readonly steps: number;
  /** Samples of a step, and of a sampling batch. */
  readonly batch: number;
  readonly samplingSteps: number;
  readonly guidance: number;
}

/** An iteration that has succeeded. */
export interface Trained {
  readonly iteration: Iteration;
  readonly steps: readonly StepMetrics[];
  /** From its start to its end, as the trainer has it. */
  readonly seconds: number;
}

/** Runs the first iteration of a new run, in the re-noised form, and watches it to its end. @throws Error with its failure */
export async function runIteration(trainer: RpcChannel, settings: IterationSettings): Promise<Trained> {
  const { model, steps: numSteps, batch, samplingSteps, guidance } = settings;
  const { createRun } = TrainerServiceService;
  const asked = CreateRunRequest.fromPartial({
    requestId: "bench",
    base: { modelName: model },
    dataset: { name: "emoji/winners", split: "train" },
    seed: 1n,
  });
  const { runId } = (await trainer.call(createRun, asked)).run!;
  const sampler = {
    kind: SamplerKind.SAMPLER_KIND_DDIM,
    numSteps: samplingSteps,
    eta: 0,
    guidanceScale: guidance,
    guidanceRescale: 0,
    clipSkip: 0,
  };
  const spec = IterationSpec.fromPartial({
    objective: { $case: "spinRenoised", value: { beta: 5000 } },
    sampling: {
      sampler,
      timestepChoice: TimestepChoice.TIMESTEP_CHOICE_UNIFORM,
      drawsPerSample: 1,
      image: { crop: CropKind.CROP_KIND_CENTER },
      dtype: DataType.DATA_TYPE_FLOAT32,
      batchSize: batch,
    },
    optimizer: { learningRate: 1e-5 },
    numSteps,
    batchSize: batch,
    microBatchSize: batch,
  });
  return iterate(trainer, { requestId: "bench", runId, spec });
}

/** Starts an iteration and watches it to its end. @throws Error with its failure */
export async function iterate(
  trainer: RpcChannel,
  asked: { readonly requestId: string; readonly runId: string; readonly spec: IterationSpec },
): Promise<Trained> {
  const { startIteration, watchIteration } = TrainerServiceService;
  const { iteration } = await trainer.call(startIteration, asked);
  const steps: StepMetrics[] = [];
  let last = iteration!;
  const watched = { iterationId: last.iterationId, afterSequence: 0 };
  for await (const { event } of trainer.stream(watchIteration, watched)) {
    if (event?.$case === "step") steps.push(event.value);
    if (event?.$case === "stateChange") last = event.value;
  }
  if (last.state !== JobState.JOB_STATE_SUCCEEDED) {
    throw new Error(`the iteration ${last.iterationId} failed: ${last.failure?.message ?? "cancelled"}`);
  }
  const at = ({ seconds, nanos }: { seconds: bigint; nanos: number }) => Number(seconds) + nanos / 1e9;
  return { iteration: last, steps, seconds: at(last.endTime!) - at(last.startTime!) };
}

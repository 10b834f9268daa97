import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { freePort, startService } from "../../cli/local/services.js";
import { RpcChannel } from "../../core/service/client.js";
import { CropKind, SamplerKind, TimestepChoice } from "../../proto/gen/spin/v1/sampling.js";
import { DataType } from "../../proto/gen/spin/v1/tensor.js";
import { CreateRunRequest, TrainerServiceService } from "../../proto/gen/spin/v1/trainer_service.js";
import { ErrorReduction, ErrorSpace, IterationSpec } from "../../proto/gen/spin/v1/training.js";
import { iterate } from "../run-iteration.js";
import { type ProcessSample, settledSample } from "./process-sample.js";

/** One look at both services after an iteration. */
export interface Look {
  /** From 1. */
  readonly iteration: number;
  readonly seconds: number;
  readonly trainer: ProcessSample;
  readonly generator: ProcessSample;
}

export interface LoopOptions {
  /** Runs, cache and logs go there. */
  readonly folder: string;
  /** With a model folder named `model`. */
  readonly modelDir: string;
  readonly iterations: number;
  readonly onLook?: (look: Look) => void;
  /** Ends the loop between two iterations. */
  readonly signal?: AbortSignal;
}

/** V8 lets garbage lie, and more of it from one iteration to the next, as long as it has room: with little, what grows is in use. */
const SMALL_HEAP = "--max-old-space-size=96 --max-semi-space-size=1";

/** Two steps of four samples: as little as an iteration can be and still do all that one does. */
const SPEC = IterationSpec.fromPartial({
  displayName: "loop",
  objective: {
    $case: "spin",
    value: {
      weight: { $case: "beta", value: 1 },
      errorSpace: ErrorSpace.ERROR_SPACE_EPSILON,
      reduction: ErrorReduction.ERROR_REDUCTION_MEAN,
    },
  },
  sampling: {
    sampler: { kind: SamplerKind.SAMPLER_KIND_DDIM, numSteps: 2, eta: 1, guidanceScale: 1 },
    timestepChoice: TimestepChoice.TIMESTEP_CHOICE_UNIFORM,
    drawsPerSample: 1,
    image: { crop: CropKind.CROP_KIND_CENTER },
    dtype: DataType.DATA_TYPE_FLOAT32,
    batchSize: 2,
  },
  optimizer: { learningRate: 1e-5 },
  numSteps: 2,
  batchSize: 4,
  checkpointInterval: 1,
});

/**
 * Runs iterations of self-play one after another, in one trainer and one generator, and looks at both after each.
 * @throws Error of an iteration that does not succeed
 */
export async function loopIterations({ folder, modelDir, iterations, onLook, signal }: LoopOptions): Promise<Look[]> {
  const [trainerPort, generatorPort] = [await freePort(), await freePort()];
  const logs = join(folder, "logs");
  await mkdir(logs, { recursive: true });
  // Two threads per operator: then every session has a thread of its own, and can be counted.
  const shared = { MODEL_DIR: modelDir, THREADS: "2", LOG_LEVEL: "warn", NODE_OPTIONS: SMALL_HEAP };
  const generator = startService("generator", logs, {
    ...shared,
    PORT: String(generatorPort),
    CHECKPOINT_ADDRESS: `127.0.0.1:${trainerPort}`,
    CACHE_DIR: join(folder, "cache"),
    // Little enough to be cleared while the loop runs.
    CACHE_BYTES: "50000000",
    ENCODED_BYTES: "1000000",
    ENCODED_DISK_BYTES: "1000000",
  });
  const trainer = startService("trainer", logs, {
    ...shared,
    PORT: String(trainerPort),
    GENERATOR_ADDRESS: `127.0.0.1:${generatorPort}`,
    RUNS_DIR: join(folder, "runs"),
    TRAINING_STATE_INTERVAL: "1",
  });
  // One that ends by itself shows as an iteration that nobody answers for.
  for (const { ended } of [generator, trainer]) ended.catch(() => undefined);
  const channel = new RpcChannel(`127.0.0.1:${trainerPort}`);
  const looks: Look[] = [];
  try {
    await channel.waitForReady(60_000);
    const request = CreateRunRequest.fromPartial({
      requestId: "loop",
      base: { modelName: "model" },
      dataset: { name: "emoji/winners", split: "train" },
      seed: 1n,
    });
    const { runId } = (await channel.call(TrainerServiceService.createRun, request, { timeoutMs: 120_000 })).run!;
    for (let iteration = 1; iteration <= iterations && !signal?.aborted; iteration++) {
      const begun = performance.now();
      await iterate(channel, { requestId: String(iteration), runId, spec: SPEC });
      const seconds = (performance.now() - begun) / 1000;
      const look = {
        iteration,
        seconds,
        trainer: await settledSample(trainer.pid),
        generator: await settledSample(generator.pid),
      };
      looks.push(look);
      onLook?.(look);
    }
    return looks;
  } finally {
    channel.close();
    await Promise.all([trainer.stop(), generator.stop()]);
  }
}

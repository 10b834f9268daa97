import { listTrainingStates } from "../core/checkpoint/training-state.js";
import type { Device } from "../core/graph/device.js";
import { requirePrecision } from "../core/runtime/unet-training.js";
import { WorkerClient } from "../core/runtime/worker-client.js";
import type { Logger } from "../core/service/logging.js";
import type { Checkpoint } from "../proto/gen/spin/v1/checkpoint.js";
import { DataType } from "../proto/gen/spin/v1/tensor.js";
import type { Checkpoints } from "./checkpoints.js";
import type { ComputeMethods } from "./compute/compute-worker.js";
import type { TrainerConfig } from "./config.js";
import { checkDraws } from "./draws/check-draws.js";
import { DrawSource } from "./draws/draw-source.js";
import { planDraws } from "./draws/expected-draws.js";
import type { Generators } from "./draws/generators.js";
import { type IterationJob, type IterationReports, runLoop } from "./iteration-loop.js";
import { samplingSpecOf } from "./sampling-spec.js";
import { loraSettings, objectiveSettings, trainingPrecision } from "./settings.js";
import { TrainingStates } from "./training-states.js";

/** A trainer's settings, its device found. */
export type ComputingConfig = Omit<TrainerConfig, "device"> & { readonly device: Device };

/** What an iteration works with. */
export interface IterationParts {
  readonly config: ComputingConfig;
  readonly generators: Generators;
  readonly checkpoints: Checkpoints;
  readonly log: Logger;
}

/**
 * Trains one iteration, from θ_k to θ_{k+1}.
 * @returns the last checkpoint
 * @throws SpinError of any kind, naming the step where there is one; the signal's error once it is aborted
 */
export async function trainIteration(
  job: IterationJob,
  parts: IterationParts,
  reports: IterationReports,
  signal: AbortSignal,
): Promise<Checkpoint> {
  const { spec, told } = job;
  const { config, generators, log } = parts;
  const final = told.checkpoints.get(spec.numSteps);
  if (final !== undefined && parts.checkpoints.find(final.digest)) return final; // Interrupted between that and its end.
  const worker = new WorkerClient<ComputeMethods>(new URL("./compute/compute-worker.js", import.meta.url));
  let source: DrawSource | undefined;
  try {
    const facts = await worker.call("open", job.baseFolder, { signal });
    for (const note of facts.notes) log.warn(note);
    const pinned = config.force ? "" : job.iteration.computeFingerprint;
    const { fingerprint } = await generators.first(config.generatorPatience * 1000, signal, pinned);
    const samplingSpec = samplingSpecOf(spec, {
      run: job.run,
      number: job.iteration.number,
      baseDigest: job.iteration.baseDigest,
      dataset: job.dataset,
      earlierDigests: job.earlierDigests,
      computeFingerprint: fingerprint!.digest,
    });
    const objective = objectiveSettings(spec.objective);
    const plan = planDraws(samplingSpec, objective, facts);
    await reports.pinned(plan.specDigest, fingerprint!.digest);
    const { latent, text, added } = plan;
    const shapes = { batch: spec.microBatchSize, latent, tokens: text[0], width: text[1], added };
    const { threads, device } = config;
    const session = { threads, device, memoryBudgetMb: config.memoryBudgetMb || undefined };
    const adapter = job.adapter && {
      ...job.adapter,
      settings: loraSettings(spec.lora!),
      seed: job.run.seed,
      iteration: job.iteration.number,
    };
    const computeIn = trainingPrecision(spec);
    requirePrecision(computeIn, device);
    const build = {
      objective,
      shapes,
      session,
      adapter,
      precision: computeIn,
      emaDecay: spec.ema?.decay,
    };
    const states = new TrainingStates({
      folder: job.statesFolder,
      interval: config.trainingStateInterval,
      worker,
      log,
      baseDigest: job.iteration.baseDigest,
      samplingSpecDigest: plan.specDigest,
      force: config.force,
    });
    const hasState = (await listTrainingStates(job.statesFolder)).length > 0;
    const prepare = async () => {
      await worker.call("build", build, { signal });
      return states.restore();
    };
    // Sampling begins while the graph is built, unless a state must tell where.
    const preparing = prepare();
    preparing.catch(() => undefined); // Awaited below.
    const stepsDone = hasState ? await preparing : 0;
    const batchesPerStep = spec.batchSize / spec.sampling.batchSize;
    source = new DrawSource({
      spec: samplingSpec,
      firstBatch: stepsDone * batchesPerStep,
      numBatches: spec.numSteps * batchesPerStep,
      check: (batch, firstIndex) => checkDraws(batch, firstIndex, plan),
      generators,
      prefetch: config.prefetchBatches,
      batchTimeoutMs: config.batchTimeout * 1000,
      patienceMs: config.generatorPatience * 1000,
      log,
      signal,
    });
    await preparing;
    const isExact = spec.sampling.dtype === DataType.DATA_TYPE_FLOAT32 && fingerprint!.provider === "cpu";
    const precision = isExact && device === "cpu" && computeIn === "float32" ? "float32" : "reduced";
    return await runLoop({
      job,
      stepsDone,
      states,
      plan,
      source,
      worker,
      precision,
      checkpoints: parts.checkpoints,
      dtype: config.checkpointDtype === "float32" ? "F32" : "source",
      reports,
      log,
      signal,
    });
  } finally {
    await source?.close();
    await worker.call("close", undefined).catch((error: unknown) => log.warn({ err: error }, "closing the graph"));
    await worker.stop();
  }
}

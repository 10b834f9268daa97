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

/** What an iteration works with. */
export interface IterationParts {
  readonly config: Omit<TrainerConfig, "device"> & { readonly device: Device };
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
  const { spec } = job;
  const { config, generators, log } = parts;
  const worker = new WorkerClient<ComputeMethods>(new URL("./compute/compute-worker.js", import.meta.url));
  let source: DrawSource | undefined;
  try {
    const facts = await worker.call("open", job.baseFolder, { signal });
    for (const note of facts.notes) log.warn(note);
    const { fingerprint } = await generators.first(config.generatorPatience * 1000, signal);
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
    // Sampling begins while the graph is built.
    source = new DrawSource({
      spec: samplingSpec,
      numBatches: (spec.numSteps * spec.batchSize) / spec.sampling.batchSize,
      check: (batch, firstIndex) => checkDraws(batch, firstIndex, plan),
      generators,
      prefetch: config.prefetchBatches,
      batchTimeoutMs: config.batchTimeout * 1000,
      patienceMs: config.generatorPatience * 1000,
      log,
      signal,
    });
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
    await worker.call("build", build, { signal });
    const isExact = spec.sampling.dtype === DataType.DATA_TYPE_FLOAT32 && fingerprint!.provider === "cpu";
    const precision = isExact && device === "cpu" && computeIn === "float32" ? "float32" : "reduced";
    return await runLoop({
      job,
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

import { rm } from "node:fs/promises";
import type { Span } from "@opentelemetry/api";
import type { WeightsDtype } from "../core/checkpoint/pipeline-checkpoint.js";
import { learningRate } from "../core/diffusion/learning-rate.js";
import { microBatchesPerGroup } from "../core/diffusion/objectives/spin-exact.js";
import { SpinError } from "../core/errors.js";
import type { UpdateOptions } from "../core/nn/training.js";
import type { WorkerClient } from "../core/runtime/worker-client.js";
import { throwIfAborted } from "../core/service/deadline.js";
import { asSpinError } from "../core/service/error-table.js";
import type { Logger } from "../core/service/logging.js";
import { epochMs, linksTo, recordSpan, withSpan } from "../core/service/tracing.js";
import type { Checkpoint } from "../proto/gen/spin/v1/checkpoint.js";
import type { DatasetRef } from "../proto/gen/spin/v1/common.js";
import type { Iteration, Run } from "../proto/gen/spin/v1/trainer_service.js";
import type { StepMetrics } from "../proto/gen/spin/v1/training.js";
import type { AdapterStart } from "./adapter-start.js";
import type { Checkpoints } from "./checkpoints.js";
import type { ComputeMethods } from "./compute/compute-worker.js";
import { DivergenceWatch, divergenceLimits, isCollapsing } from "./divergence.js";
import type { Draws } from "./draws/check-draws.js";
import type { DrawPlan } from "./draws/expected-draws.js";
import { joinReferences, type MicroBatch, microBatches } from "./draws/micro-batches.js";
import { checkFirstStep, type Precision } from "./first-step.js";
import { lineageJson } from "./lineage.js";
import { type CheckedSpec, rateSchedule } from "./settings.js";
import { StepFigures } from "./step-figures.js";
import { recordStep } from "./step-telemetry.js";
import { timestampNow } from "./timestamps.js";

/** What an iteration is made of. */
export interface IterationJob {
  readonly run: Run;
  readonly iteration: Iteration;
  readonly spec: CheckedSpec;
  /** Folder of θ_k. */
  readonly baseFolder: string;
  /** Where the adapter begins; absent where all weights are trained. */
  readonly adapter?: AdapterStart;
  /** As the objective takes it, with its digest. */
  readonly dataset: DatasetRef;
  /** Optimiser steps from the run's base to θ_k. */
  readonly stepsBefore: number;
  /** Opponents of the run's earlier iterations, θ_0 first. */
  readonly earlierDigests: readonly string[];
}

/** Whom an iteration tells how it goes. */
export interface IterationReports {
  /** The draws' identity is settled. */
  pinned(samplingSpecDigest: string, computeFingerprint: string): Promise<void>;
  step(metrics: StepMetrics): Promise<void>;
  checkpoint(checkpoint: Checkpoint): Promise<void>;
}

/** A training loop that is ready to run: the graph is built, the draws are coming. */
export interface IterationLoop {
  readonly job: IterationJob;
  readonly plan: DrawPlan;
  /** All draws of the iteration, in order. */
  readonly source: AsyncIterable<Draws>;
  /** Holds θ. */
  readonly worker: WorkerClient<ComputeMethods>;
  readonly precision: Precision;
  readonly checkpoints: Checkpoints;
  /** Of the checkpoints' UNets. */
  readonly dtype: WeightsDtype;
  readonly reports: IterationReports;
  readonly log: Logger;
  readonly signal: AbortSignal;
}

/** The loop itself: next batch, step, log, save. @returns the last checkpoint */
export async function runLoop(loop: IterationLoop): Promise<Checkpoint> {
  const { job, plan, source, reports, log, signal } = loop;
  const { numSteps, checkpointInterval, microBatchSize } = job.spec;
  const batches = microBatches(source, microBatchSize, plan.weightOf);
  const { divergenceStop } = job.spec;
  const divergence = divergenceStop && new DivergenceWatch(divergenceLimits(divergenceStop));
  let travelled = 0;
  for (let step = 1; ; step++) {
    throwIfAborted(signal);
    const options = { attributes: { "spin.step": step } };
    const metrics = await withSpan("optimizer step", options, (span) => takeStep(loop, step, batches, span));
    recordStep(metrics, job.spec.batchSize);
    log.info({ step, loss: metrics.loss, margin: metrics.margin, waitSeconds: metrics.waitSeconds }, "optimizer step");
    if (isCollapsing(metrics)) log.warn({ metrics }, "the margin soars while both errors rise: a collapse");
    await reports.step(metrics);
    divergence?.note(metrics);
    travelled += metrics.updateNorm;
    if (step === numSteps) return save(loop, step);
    // During a warm-up there may be nothing new to save yet.
    if (checkpointInterval > 0 && step % checkpointInterval === 0 && travelled > 0) await save(loop, step);
  }
}

/** One optimiser step, over as many micro-batches as the batch has. */
async function takeStep(
  { job, plan, worker, precision, signal }: IterationLoop,
  step: number,
  batches: AsyncGenerator<MicroBatch, void>,
  span: Span,
): Promise<StepMetrics> {
  const { spec } = job;
  const { drawsPerSample } = spec.sampling;
  const isExact = spec.objective.$case === "spinExact";
  const perCall = isExact ? microBatchesPerGroup(spec.microBatchSize, drawsPerSample) : 1;
  const figures = new StepFigures(plan.lossOfMargin);
  const clock = new StepClock();
  try {
    for (let draws = 0; draws < spec.batchSize * drawsPerSample; draws += perCall * spec.microBatchSize) {
      const group = await clock.waiting(take(batches, perCall));
      for (const { traceparents } of group) for (const traceparent of traceparents) span.addLinks(linksTo(traceparent));
      const feeds = group.map((one) => one.feeds);
      const options = { transfer: true, signal };
      const adding = isExact
        ? worker.call("addTrajectories", { microBatches: feeds, numSteps: drawsPerSample }, options)
        : worker.call("add", feeds[0]!, options);
      const result = await clock.computing(adding);
      const references = joinReferences(group);
      figures.add(result, references);
      if (step === 1 && references !== undefined) checkFirstStep(result, references, precision, plan.lossOfMargin);
    }
    throwIfAborted(signal);
    const update = updateOptions(spec, step);
    const { gradientNorm, updateNorm, lossScale, skippedUpdates } = await clock.computing(
      worker.call("update", update),
    );
    const { waitSeconds, computeSeconds } = clock;
    const scaling = lossScale === undefined ? {} : { lossScale, skippedUpdates };
    const rest = { gradNorm: gradientNorm, updateNorm, learningRate: update.learningRate, ...scaling };
    return { step, ...figures.means(), ...rest, waitSeconds, computeSeconds };
  } catch (error) {
    throw signal.aborted ? error : atStep(step, asSpinError(error));
  }
}

/** The next micro-batches. */
async function take(batches: AsyncGenerator<MicroBatch, void>, count: number): Promise<MicroBatch[]> {
  const taken: MicroBatch[] = [];
  while (taken.length < count) {
    const next = await batches.next();
    if (next.done) throw new SpinError("internal", "there are no draws left");
    taken.push(next.value);
  }
  return taken;
}

/** Share of the way that training has gone. */
const NOTABLE_ROUNDING = 0.1;

async function save(
  { job, plan, worker, checkpoints, dtype, reports, log }: IterationLoop,
  step: number,
): Promise<Checkpoint> {
  const { run, iteration, spec, dataset, stepsBefore } = job;
  const checkpoint: Checkpoint = {
    digest: "",
    runId: run.runId,
    iterationId: iteration.iterationId,
    iterationNumber: iteration.number,
    step,
    totalSteps: stepsBefore + step,
    baseDigest: iteration.baseDigest,
    size: 0n,
    final: step === spec.numSteps,
    createTime: timestampNow(),
  };
  const lineage = {
    checkpoint,
    spec,
    dataset,
    seed: run.seed,
    samplingSpecDigest: plan.specDigest,
    computeFingerprint: plan.spec.computeFingerprint,
  };
  const target = checkpoints.incoming(checkpoint);
  await rm(target, { recursive: true, force: true }); // Of an attempt that could not be published.
  const request = { target, lineage: lineageJson(lineage), dtype };
  const { manifest, roundingShare } = await worker.call("save", request);
  if (roundingShare > NOTABLE_ROUNDING) {
    const problem =
      "rounding to the base's element type takes away much of what was learned; set CHECKPOINT_DTYPE to float32";
    log.warn({ step, roundingShare }, problem);
  }
  if (manifest.digest === iteration.baseDigest) {
    throw new SpinError("internal", `the checkpoint of step ${step} has the digest that the iteration began with`);
  }
  const published = await checkpoints.publish(lineage, manifest);
  await reports.checkpoint(published);
  return published;
}

/** The optimiser's settings at a step, counted from 1. */
function updateOptions({ optimizer }: CheckedSpec, step: number): UpdateOptions {
  const { beta1, beta2, epsilon, weightDecay, maxGradNorm } = optimizer;
  return {
    learningRate: learningRate(...rateSchedule(optimizer), step - 1),
    betas: [beta1!, beta2!],
    eps: epsilon!,
    weightDecay: weightDecay!,
    maxNorm: maxGradNorm || undefined,
  };
}

/** The same error with the step in its message; the remedy is in the message already. */
function atStep(step: number, error: SpinError): SpinError {
  const { remedy: _, ...details } = error.details;
  return new SpinError(error.kind, `step ${step}: ${error.message}`, details);
}

/** Where a step's seconds went. */
class StepClock {
  waitSeconds = 0;
  computeSeconds = 0;

  async waiting<T>(work: Promise<T>): Promise<T> {
    const start = performance.now();
    const result = await work;
    const end = performance.now();
    this.waitSeconds += (end - start) / 1000;
    recordSpan("wait for draws", epochMs(start), epochMs(end));
    return result;
  }

  async computing<T>(work: Promise<T>): Promise<T> {
    const start = performance.now();
    const result = await work;
    this.computeSeconds += (performance.now() - start) / 1000;
    return result;
  }
}

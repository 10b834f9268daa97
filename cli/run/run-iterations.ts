import { SpinError } from "../../core/errors.js";
import type { RpcChannel } from "../../core/service/client.js";
import { sleep } from "../../core/service/deadline.js";
import type { TrainingCurve } from "../../proto/gen/spin/v1/evaluation.js";
import { CreateRunRequest, type Iteration, TrainerServiceService } from "../../proto/gen/spin/v1/trainer_service.js";
import type { IterationSpec, StepMetrics } from "../../proto/gen/spin/v1/training.js";
import { isEnded, requireSuccess } from "../remote/jobs.js";
import { toIterationSpec } from "./iteration-spec.js";
import { Pace } from "./pace.js";
import type { RunSettings } from "./settings.js";
import { stepLine } from "./step-line.js";

/** A checkpoint of the run. */
export interface RunCheckpoint {
  readonly label: string;
  readonly digest: string;
  /** Optimiser steps since the base. */
  readonly steps: number;
}

/** What became of a run. */
export interface FinishedRun {
  readonly runId: string;
  /** The base, then one per iteration. */
  readonly checkpoints: readonly RunCheckpoint[];
  readonly curves: readonly TrainingCurve[];
}

export interface RunOptions {
  /** What the run is known by; the same name finds the same run again. */
  readonly name: string;
  /** Told a line about each step and each iteration. */
  readonly onLine: (line: string) => void;
  /** Ends the watching, not the run. */
  readonly signal: AbortSignal;
}

/** Creates the run and goes through its K iterations, or finds those that were begun and goes on from there. */
export async function runIterations(
  trainer: RpcChannel,
  settings: RunSettings,
  { name, onLine, signal }: RunOptions,
): Promise<FinishedRun> {
  const { base, dataset, split, seed, iterations, steps } = settings;
  const request = { requestId: name, displayName: name, base, dataset: { name: dataset, split }, seed };
  const created = await trainer.call(TrainerServiceService.createRun, CreateRunRequest.fromPartial(request), {
    signal,
  });
  const { runId, base: opened } = created.run!;
  onLine(`run ${runId} on ${opened!.digest}`);
  const checkpoints: RunCheckpoint[] = [{ label: "base", digest: opened!.digest, steps: 0 }];
  const curves: TrainingCurve[] = [];
  const pace = new Pace(iterations * steps);
  for (let k = 1; k <= iterations; k++) {
    const label = `${settings.objective === "spin-renoised" ? "spin" : settings.objective}-${k}`;
    const spec = toIterationSpec(settings, label);
    const iteration = await startOrFind(trainer, `${name}.${k}`, runId, spec, signal);
    const onStep = (step: StepMetrics, seconds: number) => onLine(stepLine(label, step, steps, pace.step(seconds)));
    const { last, metrics } = await watch(trainer, iteration, { signal, onStep, onLine });
    requireSuccess(last, label);
    onLine(`${label} is ${last.checkpointDigest}`);
    checkpoints.push({ label, digest: last.checkpointDigest, steps: k * steps });
    curves.push({ label, steps: metrics });
  }
  return { runId, checkpoints, curves };
}

/** More failed attempts than this are no passing trouble. */
const MAX_ATTEMPTS = 9;
/** Reasons of failures that another attempt may not meet again: it goes on from where the failed one stopped. */
const PASSING: readonly string[] = ["UNAVAILABLE", "EXHAUSTED", "INTERNAL"];

/** Starts an iteration, or finds the one that an earlier command started; after one that failed in passing, another attempt. */
async function startOrFind(
  trainer: RpcChannel,
  name: string,
  runId: string,
  spec: IterationSpec,
  signal: AbortSignal,
): Promise<Iteration> {
  for (let attempt = 1; ; attempt++) {
    const requestId = attempt === 1 ? name : `${name}.${attempt}`;
    const asked = { requestId, runId, spec };
    const { iteration } = await trainer.call(TrainerServiceService.startIteration, asked, { signal });
    const hasFailed = PASSING.includes(iteration!.failure?.reason ?? "");
    if (!hasFailed || attempt === MAX_ATTEMPTS) return iteration!;
  }
}

/** How long a trainer may be away, and how often it is asked whether it is back, in milliseconds. */
const ABSENCE = { longest: 120_000, pause: 1_000 };

interface WatchOptions {
  readonly signal: AbortSignal;
  readonly onStep: (step: StepMetrics, seconds: number) => void;
  readonly onLine: (line: string) => void;
}

/** An iteration's events from its beginning to its end, across restarts of the trainer. */
async function watch(
  trainer: RpcChannel,
  iteration: Iteration,
  { signal, onStep, onLine }: WatchOptions,
): Promise<{ last: Iteration; metrics: StepMetrics[] }> {
  const metrics: StepMetrics[] = [];
  let last = iteration;
  let afterSequence = 0;
  let awaySince: number | undefined;
  while (!(isEnded(last) && afterSequence > 0)) {
    const request = { iterationId: iteration.iterationId, afterSequence };
    try {
      for await (const { sequence, event, time } of trainer.stream(TrainerServiceService.watchIteration, request, {
        signal,
      })) {
        awaySince = undefined;
        afterSequence = sequence;
        if (event?.$case === "step") {
          metrics.push(event.value);
          onStep(event.value, Number(time!.seconds) + time!.nanos / 1e9);
        } else if (event?.$case === "stateChange") {
          last = event.value;
        }
      }
    } catch (error) {
      if (!(error instanceof SpinError) || error.kind !== "unavailable") throw error;
      if (awaySince === undefined) onLine(`the trainer is away (${error.message}); waiting for it`);
      awaySince ??= performance.now();
      if (performance.now() - awaySince > ABSENCE.longest) throw error;
      await sleep(ABSENCE.pause, signal);
    }
  }
  return { last, metrics };
}

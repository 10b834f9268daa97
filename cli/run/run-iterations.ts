import type { RpcChannel } from "../../core/service/client.js";
import type { Timestamp } from "../../proto/gen/google/protobuf/timestamp.js";
import type { Checkpoint, CheckpointRef } from "../../proto/gen/spin/v1/checkpoint.js";
import { JobState } from "../../proto/gen/spin/v1/common.js";
import type { DataReport } from "../../proto/gen/spin/v1/data.js";
import type { TrainingCurve } from "../../proto/gen/spin/v1/evaluation.js";
import { CreateRunRequest, type Iteration, TrainerServiceService } from "../../proto/gen/spin/v1/trainer_service.js";
import type { StepMetrics } from "../../proto/gen/spin/v1/training.js";
import { isEnded, requireSuccess } from "../remote/jobs.js";
import { Patience } from "../remote/patience.js";
import { toIterationSpec } from "./iteration-spec.js";
import { Pace } from "./pace.js";
import type { IterationSettings } from "./settings.js";
import { stepLine } from "./step-line.js";

/** A checkpoint of the run. */
export interface RunCheckpoint {
  readonly label: string;
  readonly digest: string;
  /** Optimiser steps since the base. */
  readonly steps: number;
}

/** What is trained: the settings of each iteration, one after another. */
export interface TrainingJob {
  readonly base: CheckpointRef;
  readonly dataset: string;
  readonly split: string;
  readonly seed: bigint;
  readonly iterations: readonly IterationSettings[];
}

/** What became of a run. */
export interface FinishedRun {
  readonly runId: string;
  /** The base, then one per iteration. */
  readonly checkpoints: readonly RunCheckpoint[];
  /** All that were written, those between included. */
  readonly saved: readonly RunCheckpoint[];
  readonly curves: readonly TrainingCurve[];
  /** Seconds that the trainer worked on the iterations. */
  readonly seconds: number;
}

export interface RunOptions {
  /** What the run is known by; the same name finds the same run again. */
  readonly name: string;
  /** What it is called; default: its name. */
  readonly title?: string;
  /** Told a line about each step and each iteration. */
  readonly onLine: (line: string) => void;
  /** Ends the watching, not the run. */
  readonly signal: AbortSignal;
  /** Seconds that the trainer may be gone for, as while it is restarted. */
  readonly patience: number;
}

/** Looking through a large data set for the first time takes its time. */
const OPENING_MS = 24 * 3600 * 1000;

/**
 * Creates the run and goes through its iterations, or finds those that were begun and goes on from there: an iteration that an earlier command
 * has seen fail, or that ended with its trainer, is begun anew.
 */
export async function runIterations(
  trainer: RpcChannel,
  { base, dataset, split, seed, iterations }: TrainingJob,
  { name, title = name, onLine, signal, patience: patienceSeconds }: RunOptions,
): Promise<FinishedRun> {
  const request = { requestId: name, displayName: title, base, dataset: { name: dataset, split }, seed };
  const patience = new Patience(trainer, { seconds: patienceSeconds, onLine, signal });
  const options = { signal, timeoutMs: OPENING_MS };
  const created = await patience.around(() =>
    trainer.call(TrainerServiceService.createRun, CreateRunRequest.fromPartial(request), options),
  );
  const { runId, base: opened, data } = created.run!;
  onLine(`run ${runId} on ${opened!.digest}`);
  for (const line of dataLines(data)) onLine(line);
  const checkpoints: RunCheckpoint[] = [{ label: "base", digest: opened!.digest, steps: 0 }];
  const saved: RunCheckpoint[] = [];
  const curves: TrainingCurve[] = [];
  const pace = new Pace(iterations.reduce((sum, { steps }) => sum + steps, 0));
  let [steps, seconds] = [0, 0];
  for (const [i, settings] of iterations.entries()) {
    const label = `${settings.objective === "spin-renoised" ? "spin" : settings.objective}-${i + 1}`;
    const spec = toIterationSpec(settings, label);
    const iteration = await firstUsable(async (attempt) => {
      const requestId = attempt === 1 ? `${name}.${i + 1}` : `${name}.${i + 1}.${attempt}`;
      const asked = { requestId, runId, spec };
      const start = () => trainer.call(TrainerServiceService.startIteration, asked, options);
      return (await patience.around(start)).iteration!;
    });
    const { last, metrics, written } = await watch(trainer, iteration, patience, signal, (step, at) =>
      onLine(stepLine(label, step, settings.steps, pace.step(at))),
    );
    requireSuccess(last, label);
    onLine(`${label} is ${last.checkpointDigest}`);
    for (const { digest, step } of written) saved.push({ label: `${label}.${step}`, digest, steps: steps + step });
    steps += settings.steps;
    seconds += secondsOf(last.endTime) - secondsOf(last.startTime);
    checkpoints.push({ label, digest: last.checkpointDigest, steps });
    curves.push({ label, steps: metrics });
  }
  return { runId, checkpoints, saved, curves, seconds };
}

/** More failures than this are not interruptions. */
const MAX_ATTEMPTS = 100;

/** The first attempt that has not ended without success before. */
async function firstUsable(start: (attempt: number) => Promise<Iteration>): Promise<Iteration> {
  for (let attempt = 1; ; attempt++) {
    const iteration = await start(attempt);
    const hasFailed = isEnded(iteration) && iteration.state !== JobState.JOB_STATE_SUCCEEDED;
    if (!hasFailed || attempt === MAX_ATTEMPTS) return iteration;
  }
}

/** What is not used of the data, where anything is. */
function dataLines(data: DataReport | undefined): string[] {
  if (data === undefined || data.rowsUsed === data.rowsRead) return [];
  const { name, rowsUsed, rowsRead, ties, unlabelled, broken } = data;
  return [
    `${name}: ${rowsUsed} of ${rowsRead} rows are used, ${ties} are ties, ${unlabelled} unlabelled, ${broken} broken`,
    ...data.examples.map(({ file, row, problem }) => `  ${file} row ${row}: ${problem}`),
  ];
}

function secondsOf(time: Timestamp | undefined): number {
  return time === undefined ? 0 : Number(time.seconds) + time.nanos / 1e9;
}

/** What is printed of a run as JSON: of each iteration, its last step. */
export function outcomeJson({ runId, checkpoints, curves, seconds }: FinishedRun) {
  const last = curves.map(({ steps }) => steps.at(-1));
  return {
    run_id: runId,
    checkpoints: checkpoints.map((one, i) => ({ ...one, last_step: last[i - 1] })),
    training_seconds: seconds,
  };
}

/** An iteration's events from its beginning to its end, each once, however often the trainer is restarted. */
async function watch(
  trainer: RpcChannel,
  iteration: Iteration,
  patience: Patience,
  signal: AbortSignal,
  onStep: (step: StepMetrics, seconds: number) => void,
): Promise<{ last: Iteration; metrics: StepMetrics[]; written: Checkpoint[] }> {
  const metrics: StepMetrics[] = [];
  const written: Checkpoint[] = [];
  let last = iteration;
  let afterSequence = 0;
  const follow = async () => {
    const request = { iterationId: iteration.iterationId, afterSequence };
    for await (const { event, time, sequence } of trainer.stream(TrainerServiceService.watchIteration, request, {
      signal,
    })) {
      patience.answered();
      afterSequence = sequence;
      if (event?.$case === "step") {
        metrics.push(event.value);
        onStep(event.value, secondsOf(time));
      } else if (event?.$case === "checkpoint") {
        written.push(event.value);
      } else if (event?.$case === "stateChange") {
        last = event.value;
        if (isEnded(last)) break;
      }
    }
  };
  await patience.around(follow);
  return { last, metrics, written };
}

import type { RpcChannel } from "../../core/service/client.js";
import type { TrainingCurve } from "../../proto/gen/spin/v1/evaluation.js";
import { CreateRunRequest, type Iteration, TrainerServiceService } from "../../proto/gen/spin/v1/trainer_service.js";
import type { StepMetrics } from "../../proto/gen/spin/v1/training.js";
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
    const asked = { requestId: `${name}.${k}`, runId, spec };
    const { iteration } = await trainer.call(TrainerServiceService.startIteration, asked, { signal });
    const { last, metrics } = await watch(trainer, iteration!, signal, (step, seconds) =>
      onLine(stepLine(label, step, steps, pace.step(seconds))),
    );
    requireSuccess(last, label);
    onLine(`${label} is ${last.checkpointDigest}`);
    checkpoints.push({ label, digest: last.checkpointDigest, steps: k * steps });
    curves.push({ label, steps: metrics });
  }
  return { runId, checkpoints, curves };
}

/** An iteration's events from its beginning to its end. */
async function watch(
  trainer: RpcChannel,
  iteration: Iteration,
  signal: AbortSignal,
  onStep: (step: StepMetrics, seconds: number) => void,
): Promise<{ last: Iteration; metrics: StepMetrics[] }> {
  const metrics: StepMetrics[] = [];
  let last = iteration;
  const request = { iterationId: iteration.iterationId, afterSequence: 0 };
  for await (const { event, time } of trainer.stream(TrainerServiceService.watchIteration, request, { signal })) {
    if (event?.$case === "step") {
      metrics.push(event.value);
      onStep(event.value, Number(time!.seconds) + time!.nanos / 1e9);
    } else if (event?.$case === "stateChange") {
      last = event.value;
      if (isEnded(last)) break;
    }
  }
  return { last, metrics };
}

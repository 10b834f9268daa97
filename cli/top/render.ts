import { JobState } from "../../proto/gen/spin/v1/common.js";
import { formatSeconds } from "../progress.js";
import type { SystemState, TimedStep } from "./read-system.js";

/** Figures of an iteration as they are shown and printed. */
export interface TopSummary {
  readonly iteration?: {
    readonly id: string;
    readonly state: string;
    readonly step: number;
    readonly steps: number;
    readonly loss?: number;
    readonly margin?: number;
    readonly accuracy?: number;
    readonly examples_per_second?: number;
    /** Share of the last steps' time that was spent waiting for draws. */
    readonly wait_share?: number;
    readonly seconds_left?: number;
    readonly failure?: string;
  };
  readonly generators: SystemState["replicas"];
  readonly pictures: readonly string[];
}

/** The figures of a state. */
export function summarize({ iteration, steps, replicas, pictures }: SystemState): TopSummary {
  const rest = { generators: replicas, pictures };
  if (iteration === undefined) return rest;
  const last = steps.at(-1)?.metrics;
  const pace = secondsPerStep(steps);
  const total = iteration.spec?.numSteps ?? 0;
  const step = Math.max(iteration.stepsDone, last?.step ?? 0);
  const waited = sum(steps.map(({ metrics }) => metrics.waitSeconds));
  const computed = sum(steps.map(({ metrics }) => metrics.computeSeconds));
  const isRunning = iteration.state === JobState.JOB_STATE_RUNNING;
  return {
    iteration: {
      id: iteration.iterationId,
      state: JobState[iteration.state].replace("JOB_STATE_", "").toLowerCase(),
      step,
      steps: total,
      loss: last?.loss,
      margin: last?.margin,
      accuracy: last?.implicitAccuracy,
      examples_per_second: pace && (iteration.spec?.batchSize ?? 0) / pace,
      wait_share: waited + computed > 0 ? waited / (waited + computed) : undefined,
      seconds_left: isRunning && pace !== undefined ? pace * (total - step) : undefined,
      failure: iteration.failure?.message,
    },
    ...rest,
  };
}

/** The figures as lines of text. */
export function renderTop({ iteration, generators, pictures }: TopSummary): string {
  const lines: string[] = [];
  if (iteration === undefined) lines.push("no iteration yet");
  else {
    const { id, state, step, steps, failure } = iteration;
    const left = iteration.seconds_left === undefined ? "" : `, ${formatSeconds(iteration.seconds_left)} left`;
    lines.push(`${id}  ${state}  step ${step}/${steps}${left}`);
    lines.push(
      `  loss ${figure(iteration.loss, 4)}  margin ${figure(iteration.margin, 3)}  accuracy ${figure(iteration.accuracy, 2)}`,
      `  ${figure(iteration.examples_per_second, 2)} examples/s  waiting for draws ${percent(iteration.wait_share)}`,
    );
    if (failure !== undefined) lines.push(`  ${failure}`);
  }
  for (const { address, device, waiting, active, problem } of generators) {
    const state = problem ?? `${active === 0 ? "idle" : "computing"}, ${waiting} waiting, ${device}`;
    lines.push(`generator ${address}  ${state}`);
  }
  for (const path of pictures) lines.push(`picture ${path}`);
  return `${lines.join("\n")}\n`;
}

/** Undefined before two steps are known. */
function secondsPerStep(steps: readonly TimedStep[]): number | undefined {
  const [first, last] = [steps[0], steps.at(-1)];
  if (first === undefined || last === undefined || steps.length < 2) return undefined;
  return (last.seconds - first.seconds) / (last.metrics.step - first.metrics.step) || undefined;
}

const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0);
const figure = (value: number | undefined, decimals: number) => value?.toFixed(decimals) ?? "–";
const percent = (share: number | undefined) => (share === undefined ? "–" : `${Math.round(100 * share)} %`);

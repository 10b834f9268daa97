import { median } from "../../cli/bench/benchmark.js";
import { SpinError } from "../../core/errors.js";
import type { Span } from "../../core/service/read-spans.js";
import type { Measured } from "./simulate.js";

/** What a real iteration took, and the times to simulate it from. */
export interface RealTimes {
  /** From the first batch's beginning to the last step's end. */
  readonly seconds: number;
  readonly measured: Measured;
}

/** On one machine nothing crosses a network, and no checkpoint is fetched. */
const UNLIMITED = 1e12;
/** Batches that a trainer asks of a generator at a time. */
const LANES = 2;

/**
 * The times of the one iteration in a trace of trainer and generators. Each generator's first batch is longer by what it loads and compiles.
 *
 * @param generators that it had
 * @throws SpinError "invalid" where the trace has no such iteration
 */
export function realTimes(spans: readonly Span[], generators: number): RealTimes {
  const named = (name: string) => spans.filter((one) => one.name === name).sort((a, b) => a.start - b.start);
  const steps = named("optimizer step");
  const draws = named("generator draws");
  const batches = named("worker draws");
  if (named("iteration").length !== 1 || steps.length === 0 || batches.length <= generators) {
    throw new SpinError(
      "invalid",
      "the trace is not that of one iteration of a trainer and its generators, with batches enough",
    );
  }
  const seconds = (all: readonly Span[]) => all.map(({ start, end }) => (end - start) / 1000);
  const began = batches[0]!.start;
  const batchSeconds = mean(seconds(batches.slice(generators)));
  const computing = [...named("worker add"), ...named("worker update")];
  return {
    seconds: (steps.at(-1)!.end - began) / 1000,
    measured: {
      batchSeconds,
      stepSeconds: (mean(seconds(computing)) * computing.length) / steps.length,
      batchBytes: median(draws.map(({ attributes }) => Number(attributes["spin.message_bytes"] ?? 0))),
      batchesPerStep: Math.round(batches.length / steps.length),
      networkBytesPerSecond: UNLIMITED,
      checkpointBytes: 0,
      diskBytesPerSecond: UNLIMITED,
      loadSeconds: Math.max(0, mean(seconds(batches.slice(0, generators))) - batchSeconds),
      buildSeconds: Math.max(0, (steps[0]!.start - began) / 1000),
      steps: steps.length,
      lanes: LANES,
    },
  };
}

function mean(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0) / values.length;
}

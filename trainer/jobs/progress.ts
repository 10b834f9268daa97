import type { Checkpoint } from "../../proto/gen/spin/v1/checkpoint.js";
import type { Iteration } from "../../proto/gen/spin/v1/trainer_service.js";
import type { StepMetrics } from "../../proto/gen/spin/v1/training.js";
import type { EventLog } from "./event-log.js";
import { isFinal } from "./is-final.js";

/** What has been told of an iteration. */
export interface Told {
  /** Metrics of its steps, in order. */
  readonly steps: readonly StepMetrics[];
  /** Its checkpoints by their steps. */
  readonly checkpoints: ReadonlyMap<number, Checkpoint>;
  /** How it ended; undefined while that was not told. */
  readonly end?: Iteration;
}

export const NOTHING_TOLD: Told = { steps: [], checkpoints: new Map() };

/** Reads a log that nobody writes on. */
export async function readTold(events: EventLog): Promise<Told> {
  const steps: StepMetrics[] = [];
  const checkpoints = new Map<number, Checkpoint>();
  let end: Iteration | undefined;
  for await (const { event } of events.read(0, new AbortController().signal)) {
    if (event?.$case === "stateChange" && isFinal(event.value)) end = event.value;
    if (event?.$case === "step") steps.push(event.value);
    if (event?.$case === "checkpoint") checkpoints.set(event.value.step, event.value);
  }
  return { steps, checkpoints, end };
}

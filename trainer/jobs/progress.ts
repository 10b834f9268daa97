import type { Checkpoint } from "../../proto/gen/spin/v1/checkpoint.js";
import type { StepMetrics } from "../../proto/gen/spin/v1/training.js";
import type { EventLog } from "./event-log.js";

/** What has been told of an iteration. */
export interface Told {
  /** Metrics of its steps, in order. */
  readonly steps: readonly StepMetrics[];
  /** Its checkpoints by their steps. */
  readonly checkpoints: ReadonlyMap<number, Checkpoint>;
}

export const NOTHING_TOLD: Told = { steps: [], checkpoints: new Map() };

/** Reads a log that nobody writes on. */
export async function readTold(events: EventLog): Promise<Told> {
  const steps: StepMetrics[] = [];
  const checkpoints = new Map<number, Checkpoint>();
  for await (const { event } of events.read(0, new AbortController().signal)) {
    if (event?.$case === "step") steps.push(event.value);
    if (event?.$case === "checkpoint") checkpoints.set(event.value.step, event.value);
  }
  return { steps, checkpoints };
}

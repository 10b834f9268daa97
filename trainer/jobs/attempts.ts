import { rename } from "node:fs/promises";
import { canonicalJson } from "../../core/canonical-json.js";
import { errorCode, toIoError } from "../../core/checkpoint/io-errors.js";
import { listTrainingStates } from "../../core/checkpoint/training-state.js";
import { kindOf } from "../../core/service/error-table.js";
import type { Iteration } from "../../proto/gen/spin/v1/trainer_service.js";
import { IterationSpec } from "../../proto/gen/spin/v1/training.js";
import { type Configuration, changedKeys } from "../configuration.js";
import { EventLog } from "./event-log.js";
import { NOTHING_TOLD, readTold, type Told } from "./progress.js";
import type { RunStore } from "./run-store.js";

/** Kinds of failure that another attempt may not meet again. */
const PASSING: ReadonlySet<string> = new Set(["unavailable", "exhausted", "internal", "corrupt", "precondition"]);

/** The attempt at the same thing that failed last, where another one may go on from what it left. */
export function failedAttempt(store: RunStore, next: Iteration, configuration: Configuration): Iteration | undefined {
  const record = store.iterationsOf(next.runId).at(-1);
  if (record === undefined || changedKeys(record.configuration, configuration).length > 0) return undefined;
  const { iteration } = record;
  const isSame = iteration.number === next.number && iteration.baseDigest === next.baseDigest;
  const failedInPassing = iteration.failure !== undefined && PASSING.has(kindOf(iteration.failure.reason));
  return isSame && failedInPassing && specOf(iteration) === specOf(next) ? iteration : undefined;
}

function specOf({ spec }: Iteration): string {
  return canonicalJson(IterationSpec.toJSON(spec!));
}

/**
 * Takes over the training states of a failed attempt, and what was told of its steps.
 * @throws SpinError as `toIoError`, naming the folder
 */
export async function inheritAttempt(store: RunStore, from: Iteration, to: Iteration, events: EventLog): Promise<Told> {
  const states = store.statesFolder(to);
  await rename(store.statesFolder(from), states).catch((error: unknown) => {
    if (errorCode(error) !== "ENOENT") throw toIoError(error, states, "write"); // It has none, or they were moved before.
  });
  if ((await listTrainingStates(states)).length === 0) return NOTHING_TOLD;
  const { steps } = await readTold(await EventLog.openEnded(store.eventsFile(from)));
  for (const value of steps) await events.append({ $case: "step", value });
  return { steps, checkpoints: new Map() };
}

import { dropStatesAfter } from "../../core/checkpoint/training-state.js";
import { SpinError } from "../../core/errors.js";
import type { Logger } from "../../core/service/logging.js";
import { type Configuration, changedKeys } from "../configuration.js";
import { EventLog } from "./event-log.js";
import type { IterationKeeper } from "./iteration-keeper.js";
import { readTold, type Told } from "./progress.js";
import { type IterationRecord, noteForced } from "./records.js";
import type { RunStore } from "./run-store.js";

export interface TakeUpParts {
  readonly store: RunStore;
  readonly keeper: IterationKeeper;
  /** What this trainer's results depend on. */
  readonly configuration: Configuration;
  /** Whether to go on under another configuration too. */
  readonly force: boolean;
  readonly log: Logger;
}

/** An iteration to go on with. */
export interface TakenUp {
  readonly record: IterationRecord;
  readonly told: Told;
  readonly events: EventLog;
}

/**
 * Finds out how far an earlier process came with an iteration, and whether this trainer may go on with it.
 * @returns undefined where it had ended, which was told and then not saved
 * @throws SpinError "precondition" naming the keys in which the configuration is another than the one that it was begun under
 */
export async function takeUp(record: IterationRecord, parts: TakeUpParts): Promise<TakenUp | undefined> {
  const { store, keeper, log } = parts;
  const path = store.eventsFile(record.iteration);
  const lost = await EventLog.mend(path);
  if (lost > 0) log.error({ file: path, bytes: lost }, "the events are damaged: their steps are done and told again");
  const told = await readTold(await EventLog.openEnded(path));
  if (told.end !== undefined) {
    await keeper.keep(record, told.end);
    return undefined;
  }
  const stepsDone = told.steps.length;
  // A state is saved once its step was told; after a crash of the machine it may be there and the telling not.
  for (const state of await dropStatesAfter(store.statesFolder(record.iteration), stepsDone)) {
    log.warn({ state, stepsDone }, "training state removed: the events that go before it are lost");
  }
  checkConfiguration(record, parts, stepsDone);
  await keeper.keep(record, { stepsDone });
  return { record, told, events: await EventLog.open(path) };
}

/** Lets an iteration go on under another configuration only by force, and writes that down. */
function checkConfiguration(record: IterationRecord, parts: TakeUpParts, stepsDone: number): void {
  const { configuration, force, log } = parts;
  const { iterationId } = record.iteration;
  const changed = changedKeys(record.configuration, configuration);
  if (changed.length === 0) return;
  if (!force) {
    const message = `the iteration "${iterationId}" was begun under another configuration: ${changed.join("; ")}`;
    const remedy = "start the trainer as it was, or with --force, which the checkpoints' lineage then tells";
    throw new SpinError("precondition", message, { remedy });
  }
  log.warn({ iteration: iterationId, changed }, "going on by force under another configuration");
  noteForced(record, changed, stepsDone);
  record.configuration = configuration;
}

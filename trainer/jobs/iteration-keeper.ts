import { sleep } from "../../core/service/deadline.js";
import type { Logger } from "../../core/service/logging.js";
import type { Iteration } from "../../proto/gen/spin/v1/trainer_service.js";
import { timestampNow } from "../timestamps.js";
import type { EventLog } from "./event-log.js";
import type { IterationRecord } from "./records.js";
import type { RunStore } from "./run-store.js";

/** How long an iteration's end waits to be told for a disk that does not take it: told and not kept, a restart would go on after it. */
const LAST_WORD_PATIENCE_MS = 10_000;
const LAST_WORD_AGAIN_MS = 500;

/** Writes down what becomes of iterations. */
export class IterationKeeper {
  readonly #store: RunStore;
  readonly #log: Logger;
  /** Iterations whose end the disk did not take. */
  readonly #unsaved = new Set<IterationRecord>();

  constructor(store: RunStore, log: Logger) {
    this.#store = store;
    this.#log = log;
  }

  /** Changes an iteration, on the disk too. @throws SpinError as `RunStore.putIteration`; the record is changed all the same */
  async keep(record: IterationRecord, change: Partial<Iteration>): Promise<void> {
    record.iteration = { ...record.iteration, ...change };
    await this.#store.putIteration(record);
    this.#unsaved.delete(record);
  }

  /** Changes an iteration and tells of it. @throws SpinError as `keep` and `EventLog.append` */
  async change(record: IterationRecord, events: EventLog, change: Partial<Iteration>): Promise<void> {
    await this.keep(record, change);
    await events.append({ $case: "stateChange", value: record.iteration });
  }

  /**
   * Writes down how an iteration ended and then tells of it, in the end even where the disk does not take it: then it is tried again
   * by {@link saveEnds}.
   * @param signal ends the trying
   */
  async end(
    record: IterationRecord,
    events: EventLog,
    outcome: Partial<Iteration>,
    signal: AbortSignal,
  ): Promise<void> {
    this.#unsaved.add(record);
    const end = performance.now() + LAST_WORD_PATIENCE_MS;
    while (this.#unsaved.has(record)) {
      const error = await this.keep(record, { ...outcome, endTime: timestampNow() }).catch((thrown: unknown) => thrown);
      if (error === undefined) break;
      // A full disk refuses this too; those who ask are told all the same in the end.
      this.#log.error({ err: error }, "the iteration's outcome could not be saved");
      if (performance.now() > end || signal.aborted) break;
      await sleep(LAST_WORD_AGAIN_MS);
    }
    await events.end({ $case: "stateChange", value: record.iteration });
  }

  /**
   * Saves the ends that the disk did not take before. Nothing may begin while there are any: a restart would go on with those
   * iterations beside it.
   * @throws SpinError as `keep`
   */
  async saveEnds(): Promise<void> {
    for (const record of this.#unsaved) await this.keep(record, {});
  }
}

import { rm } from "node:fs/promises";
import { listTrainingStates } from "../core/checkpoint/training-state.js";
import type { WorkerClient } from "../core/runtime/worker-client.js";
import { asSpinError } from "../core/service/error-table.js";
import type { Logger } from "../core/service/logging.js";
import { withSpan } from "../core/service/tracing.js";
import type { ComputeMethods } from "./compute/compute-worker.js";
import type { StateIdentity } from "./compute/learner.js";

export interface TrainingStatesOptions extends StateIdentity {
  /** Where this iteration's states are kept. */
  readonly folder: string;
  /** Optimiser steps between two of them. */
  readonly interval: number;
  /** Holds what is saved, and writes it. */
  readonly worker: Pick<WorkerClient<ComputeMethods>, "call">;
  /** Goes on from a state of other draws too. */
  readonly force: boolean;
  readonly log: Logger;
}

/** What an iteration goes on from after its process was killed: saved between steps, every so often, the last two of them kept. */
export class TrainingStates {
  readonly #options: TrainingStatesOptions;
  /** Step of the newest state. */
  #saved = 0;

  constructor(options: TrainingStatesOptions) {
    this.#options = options;
  }

  /**
   * Goes on from the newest state that is whole; a damaged one is refused, by its reason in the log, and removed.
   * @returns optimiser steps done; 0 where there is none to go on from
   */
  async restore(): Promise<number> {
    const { folder, worker, log, force, baseDigest } = this.#options;
    const samplingSpecDigest = force ? "" : this.#options.samplingSpecDigest;
    for (const state of await listTrainingStates(folder)) {
      try {
        this.#saved = await worker.call("restoreState", { folder: state, baseDigest, samplingSpecDigest });
        log.info({ step: this.#saved, state }, "going on from a training state");
        return this.#saved;
      } catch (error) {
        if (!REFUSED.has(asSpinError(error).kind)) throw error;
        log.error({ err: error, state }, "training state refused: going on from the one before");
        await rm(state, { recursive: true, force: true });
      }
    }
    return 0;
  }

  /** Saves the state after a step where one is due. */
  async saveDue(step: number): Promise<void> {
    if (step % this.#options.interval === 0) await this.save(step);
  }

  /**
   * Saves the state after a step. A disk that has no room for it costs nothing but the time that an interruption would then cost: the
   * states from before are untouched.
   */
  async save(step: number): Promise<void> {
    if (step <= this.#saved) return;
    const { folder, worker, log, baseDigest, samplingSpecDigest } = this.#options;
    try {
      const request = { folder, baseDigest, samplingSpecDigest, step };
      await withSpan("save training state", { attributes: { "spin.step": step } }, () =>
        worker.call("saveState", request),
      );
      this.#saved = step;
    } catch (error) {
      if (asSpinError(error).kind !== "exhausted") throw error;
      log.error({ err: error, step }, "training state not saved");
    }
  }
}

/** What a state may be refused for before anything of it was used. */
const REFUSED: ReadonlySet<string> = new Set(["corrupt", "notFound", "invalid", "precondition"]);

import { rm } from "node:fs/promises";
import { toIoError } from "../core/checkpoint/io-errors.js";
import { SpinError } from "../core/errors.js";
import type { DiskRoom } from "../core/service/disk-room.js";
import { asSpinError, reasonOf } from "../core/service/error-table.js";
import { contextOf, currentTraceparent, withSpan } from "../core/service/tracing.js";
import type { CheckpointRef } from "../proto/gen/spin/v1/checkpoint.js";
import { type DatasetRef, JobState } from "../proto/gen/spin/v1/common.js";
import {
  Iteration,
  type Run,
  StartIterationRequest,
  type WatchIterationResponse,
} from "../proto/gen/spin/v1/trainer_service.js";
import { adapterBase } from "./adapter-start.js";
import type { BaseModels } from "./base-models.js";
import type { Configuration } from "./configuration.js";
import type { IterationJob } from "./iteration-loop.js";
import { reportsTo } from "./iteration-reports.js";
import { failedAttempt, inheritAttempt } from "./jobs/attempts.js";
import { EventLog } from "./jobs/event-log.js";
import { isFinal } from "./jobs/is-final.js";
import { IterationKeeper } from "./jobs/iteration-keeper.js";
import { NOTHING_TOLD, type Told } from "./jobs/progress.js";
import { findRepeated, type IterationRecord, originOf } from "./jobs/records.js";
import type { RunStore } from "./jobs/run-store.js";
import { type TakenUp, takeUp } from "./jobs/take-up.js";
import { checkMessageSize } from "./message-size.js";
import type { CheckedIterationRequest } from "./requests.js";
import type { Runs } from "./runs.js";
import { Serial } from "./serial.js";
import { type CheckedSpec, withDefaults } from "./settings.js";
import { timestampNow } from "./timestamps.js";
import { type IterationParts, trainIteration } from "./train-iteration.js";

export interface IterationsParts extends IterationParts {
  readonly store: RunStore;
  readonly runs: Runs;
  readonly models: BaseModels;
  /** Of runs and checkpoints. */
  readonly disk: DiskRoom;
  /** What this trainer's results depend on. */
  readonly configuration: Configuration;
}

/** The iteration at work. */
interface Active {
  readonly record: IterationRecord;
  readonly controller: AbortController;
}

/** The iterations of this trainer: one at work at a time, all of them kept. */
export class Iterations {
  readonly #parts: IterationsParts;
  /** Logs of the iterations of this process. */
  readonly #logs = new Map<string, EventLog>();
  readonly #keeper: IterationKeeper;
  /** What an earlier process left unfinished. */
  readonly #takenUp: TakenUp[] = [];
  readonly #starting = new Serial();
  #active: Active | undefined;
  /** The end of the last iteration's work, its log included. */
  #done: Promise<void> = Promise.resolve();
  readonly #stopping = new AbortController();

  private constructor(parts: IterationsParts) {
    this.#parts = parts;
    this.#keeper = new IterationKeeper(parts.store, parts.log);
  }

  /**
   * Takes up what an earlier process left, which {@link resume} then goes on with.
   * @throws SpinError "precondition" naming the keys in which this trainer's configuration is another than the one that an unfinished
   * iteration was begun under, unless it is to go on by force
   */
  static async open(parts: IterationsParts): Promise<Iterations> {
    const iterations = new Iterations(parts);
    for (const record of parts.store.iterations) {
      if (isFinal(record.iteration)) continue;
      const left = await takeUp(record, { ...parts, keeper: iterations.#keeper, force: parts.config.force });
      if (left === undefined) continue;
      iterations.#takenUp.push(left);
      iterations.#logs.set(record.iteration.iterationId, left.events);
    }
    return iterations;
  }

  /** Goes on with the iteration that an earlier process left unfinished; one is active at a time, so there is one at most. */
  resume(): void {
    const [left] = this.#takenUp.splice(0);
    if (left !== undefined) this.#begin(left.record, left.events, left.told);
  }

  /**
   * Starts the next iteration of a run.
   * @throws SpinError "precondition" while one is active, "notFound" for the run, and as `findRepeated`, `DiskRoom.require`,
   * `findDataset` and `checkMessageSize`
   */
  start(request: CheckedIterationRequest): Promise<Iteration> {
    return this.#starting.run(async () => {
      const { requestId, runId } = request;
      const origin = originOf(requestId, StartIterationRequest.toJSON({ ...request, requestId: "" }));
      const repeated = findRepeated(this.#parts.store.iterations, origin);
      if (repeated !== undefined) return repeated.iteration;
      const run = this.#parts.runs.get(runId);
      this.#refuseSecond();
      await this.#parts.disk.require();
      await this.#keeper.saveEnds();
      const spec = withDefaults(request.spec);
      await this.#datasetFor(spec, run.dataset!); // Told at once where it is missing.
      const folder = await this.#parts.models.locate(this.#refOf(run, run.latestCheckpointDigest));
      if (folder !== undefined) await checkMessageSize(spec, folder);
      const iteration = Iteration.fromPartial({
        iterationId: this.#parts.store.nextIterationId(runId),
        runId,
        // An attempt that failed leaves no θ behind: the next one is for the same k, and sees the same draws.
        number: this.#parts.runs.succeeded(runId).length + 1,
        spec,
        state: JobState.JOB_STATE_QUEUED,
        baseDigest: run.latestCheckpointDigest,
        createTime: timestampNow(),
      });
      const { configuration, store } = this.#parts;
      const record: IterationRecord = { origin, traceparent: currentTraceparent(), configuration, iteration };
      const events = await EventLog.create(store.eventsFile(iteration));
      try {
        const told = await this.#writeBeginning(iteration, events);
        await store.putIteration(record); // Not before everything else is on the disk: from here on it is promised.
        this.#logs.set(iteration.iterationId, events);
        this.#begin(record, events, told);
      } catch (error) {
        await events.close();
        throw error;
      }
      return iteration;
    });
  }

  /** Tells that an iteration is there, and what a failed attempt at the same had come to. */
  async #writeBeginning(iteration: Iteration, events: EventLog): Promise<Told> {
    await events.append({ $case: "stateChange", value: iteration });
    const { store, configuration } = this.#parts;
    const before = failedAttempt(store, iteration, configuration);
    if (before !== undefined) return inheritAttempt(store, before, iteration, events);
    const states = store.statesFolder(iteration);
    await rm(states, { recursive: true, force: true }).catch((error: unknown) => {
      throw toIoError(error, states, "write"); // Left of a beginning that came to nothing.
    });
    return NOTHING_TOLD;
  }

  #begin(record: IterationRecord, events: EventLog, told: Told): void {
    const controller = new AbortController();
    this.#active = { record, controller };
    this.#done = this.#run(record, told, events, controller.signal);
  }

  /** @throws SpinError "notFound" */
  get(iterationId: string): Iteration {
    return this.#parts.store.iteration(iterationId).iteration;
  }

  /** Stops an iteration after the computation at hand; no effect on one that has ended. @throws SpinError "notFound" */
  cancel(iterationId: string): Iteration {
    const { iteration } = this.#parts.store.iteration(iterationId);
    const active = this.#active;
    if (active?.record.iteration.iterationId === iterationId) {
      active.controller.abort(new SpinError("cancelled", "the iteration was cancelled"));
    }
    return iteration;
  }

  /** Events after a sequence number, until the iteration has ended. @throws SpinError "notFound" */
  async *watch(
    iterationId: string,
    afterSequence: number,
    signal: AbortSignal,
  ): AsyncGenerator<WatchIterationResponse> {
    const { store } = this.#parts;
    const { iteration } = store.iteration(iterationId);
    const ending = { $case: "stateChange", value: iteration } as const;
    const events = this.#logs.get(iterationId) ?? (await EventLog.openEnded(store.eventsFile(iteration), ending));
    yield* events.read(afterSequence, signal);
  }

  /** Interrupts the iteration at work after the computation at hand: the next process goes on with it. No other begins. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    const remedy = "it goes on with the iteration once it is back";
    this.#active?.controller.abort(new SpinError("unavailable", "the trainer was stopped", { remedy }));
    await this.#done;
  }

  #refuseSecond(): void {
    if (this.#stopping.signal.aborted) {
      throw new SpinError("unavailable", "the trainer is shutting down", { retryAfterSeconds: 5 });
    }
    if (this.#active === undefined) return;
    const { iterationId } = this.#active.record.iteration;
    throw new SpinError("precondition", `the iteration "${iterationId}" is active`, {
      remedy: "wait until it has ended (WatchIteration), or cancel it",
    });
  }

  /** Pairs have a digest of their own, which the run's does not say. */
  #datasetFor(spec: CheckedSpec, dataset: DatasetRef): Promise<DatasetRef> {
    const { runs } = this.#parts;
    if (spec.objective.$case !== "dpo") return runs.dataset(dataset, "pictures");
    return runs.dataset({ ...dataset, digest: "" }, "pairs");
  }

  /** Runs an iteration to its end. Never rejects: how it ended is the iteration's state. */
  async #run(record: IterationRecord, told: Told, events: EventLog, signal: AbortSignal): Promise<void> {
    const { iterationId, runId, number } = record.iteration;
    const log = this.#parts.log.child({ iteration: iterationId });
    const attributes = { "spin.run": runId, "spin.iteration": iterationId, "spin.iteration.number": number };
    let outcome: Partial<Iteration>;
    try {
      if (record.iteration.state !== JobState.JOB_STATE_RUNNING) {
        await this.#keeper.change(record, events, { state: JobState.JOB_STATE_RUNNING, startTime: timestampNow() });
      }
      const last = await withSpan(
        "iteration",
        { attributes },
        async () => {
          const reports = reportsTo(record, events, told, this.#keeper, log);
          return trainIteration(await this.#jobOf(record, told), { ...this.#parts, log }, reports, signal);
        },
        contextOf(record.traceparent),
      );
      outcome = { state: JobState.JOB_STATE_SUCCEEDED, checkpointDigest: last.digest };
      log.info({ checkpoint: last.digest, steps: last.step }, "iteration succeeded");
    } catch (error) {
      if (signal.aborted && this.#stopping.signal.aborted && asSpinError(signal.reason).kind === "unavailable") {
        log.info({ step: record.iteration.stepsDone }, "iteration interrupted: the next process goes on with it");
        this.#active = undefined;
        return events.interrupt(asSpinError(signal.reason));
      }
      outcome = failed(signal.aborted ? signal.reason : error);
      log[signal.aborted ? "info" : "error"]({ err: error }, "iteration ended early");
    }
    this.#active = undefined; // Whoever hears of the end may start the next at once.
    // Another attempt may go on from what a failed one left. Of one that succeeded the log has the final checkpoint already.
    if (outcome.state !== JobState.JOB_STATE_FAILED) {
      const states = this.#parts.store.statesFolder(record.iteration);
      await rm(states, { recursive: true, force: true }).catch((error: unknown) => {
        log.warn({ err: error }, "training states could not be removed");
      });
    }
    await this.#keeper.end(record, events, outcome, this.#stopping.signal);
  }

  /** All that an iteration is made of. @throws SpinError as `BaseModels.find` and `findDataset` */
  async #jobOf({ iteration, forced = [] }: IterationRecord, told: Told): Promise<IterationJob> {
    const { runs, store } = this.#parts;
    const spec = iteration.spec as CheckedSpec; // Checked when it was asked for.
    const run = runs.get(iteration.runId);
    const before = runs.succeeded(iteration.runId);
    const under = spec.lora && adapterBase(spec.lora, before, iteration.baseDigest);
    return {
      run,
      iteration,
      spec,
      baseFolder: await this.#folderOf(run, iteration.baseDigest),
      adapter: under && { ...under, baseFolder: await this.#folderOf(run, under.baseDigest) },
      dataset: await this.#datasetFor(spec, run.dataset!),
      stepsBefore: before.reduce((sum, { stepsDone }) => sum + stepsDone, 0),
      earlierDigests: before.map(({ baseDigest }) => baseDigest),
      told,
      statesFolder: store.statesFolder(iteration),
      forced,
    };
  }

  /** Where a model of a run lies: its base, or a checkpoint. @throws SpinError as `BaseModels.find` */
  async #folderOf(run: Run, digest: string): Promise<string> {
    return (await this.#parts.models.find(this.#refOf(run, digest))).folder;
  }

  #refOf(run: Run, digest: string): CheckpointRef {
    return { digest, modelName: digest === run.base!.digest ? run.base!.modelName : "" };
  }
}

function failed(thrown: unknown): Partial<Iteration> {
  const { kind, message } = asSpinError(thrown);
  if (kind === "cancelled") return { state: JobState.JOB_STATE_CANCELLED };
  return { state: JobState.JOB_STATE_FAILED, failure: { reason: reasonOf(kind), message } };
}

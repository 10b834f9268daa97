import { rename, rm } from "node:fs/promises";
import { canonicalJson } from "../core/canonical-json.js";
import { errorCode, toIoError } from "../core/checkpoint/io-errors.js";
import { dropStatesAfter, listTrainingStates } from "../core/checkpoint/training-state.js";
import { SpinError } from "../core/errors.js";
import { sleep } from "../core/service/deadline.js";
import type { DiskRoom } from "../core/service/disk-room.js";
import { asSpinError, kindOf, reasonOf } from "../core/service/error-table.js";
import { contextOf, currentTraceparent, withSpan } from "../core/service/tracing.js";
import type { CheckpointRef } from "../proto/gen/spin/v1/checkpoint.js";
import { type DatasetRef, JobState } from "../proto/gen/spin/v1/common.js";
import {
  Iteration,
  type Run,
  StartIterationRequest,
  type WatchIterationResponse,
} from "../proto/gen/spin/v1/trainer_service.js";
import { IterationSpec, type StepMetrics } from "../proto/gen/spin/v1/training.js";
import { adapterBase } from "./adapter-start.js";
import type { BaseModels } from "./base-models.js";
import { type Configuration, changedKeys } from "./configuration.js";
import type { IterationReports } from "./iteration-loop.js";
import { EventLog } from "./jobs/event-log.js";
import { isFinal } from "./jobs/is-final.js";
import { NOTHING_TOLD, readTold, type Told } from "./jobs/progress.js";
import { findRepeated, type IterationRecord, originOf } from "./jobs/records.js";
import type { RunStore } from "./jobs/run-store.js";
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
  /** What earlier processes told of unfinished iterations. */
  readonly #told = new Map<IterationRecord, Told>();
  readonly #starting = new Serial();
  /** Iterations whose end the disk did not take. Nothing begins before it did: a restart would go on with them beside it. */
  readonly #unsaved = new Set<IterationRecord>();
  #active: Active | undefined;
  /** The end of the last iteration's work, its log included. */
  #done: Promise<void> = Promise.resolve();
  readonly #stopping = new AbortController();

  private constructor(parts: IterationsParts) {
    this.#parts = parts;
  }

  /**
   * Takes up what an earlier process left, which {@link resume} then goes on with.
   * @throws SpinError "precondition" naming the keys in which this trainer's configuration is another than the one that an unfinished
   * iteration was begun under, unless it is to go on by force
   */
  static async open(parts: IterationsParts): Promise<Iterations> {
    const iterations = new Iterations(parts);
    for (const record of parts.store.iterations) {
      if (!isFinal(record.iteration)) await iterations.#takeUp(record);
    }
    return iterations;
  }

  /** Goes on with the iteration that an earlier process left unfinished; one is active at a time, so there is one at most. */
  resume(): void {
    for (const record of this.#parts.store.iterations) {
      const events = this.#logs.get(record.iteration.iterationId);
      if (isFinal(record.iteration) || events === undefined || this.#active !== undefined) continue;
      this.#begin(record, events, this.#told.get(record)!);
    }
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
      for (const record of this.#unsaved) await this.#keep(record, {});
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
    const before = this.#failedAttempt(iteration);
    if (before !== undefined) return this.#inherit(before, iteration, events);
    const states = this.#parts.store.statesFolder(iteration);
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

  /** The attempt at the same thing that failed last, where another one may go on from what it left. */
  #failedAttempt(next: Iteration): Iteration | undefined {
    const record = this.#parts.store.iterationsOf(next.runId).at(-1);
    if (record === undefined || changedKeys(record.configuration, this.#parts.configuration).length > 0)
      return undefined;
    const { iteration } = record;
    const isSame = iteration.number === next.number && iteration.baseDigest === next.baseDigest;
    const failedInPassing = iteration.failure !== undefined && PASSING.has(kindOf(iteration.failure.reason));
    return isSame && failedInPassing && specOf(iteration) === specOf(next) ? iteration : undefined;
  }

  /** Takes over the training states of a failed attempt, and what was told of its steps. */
  async #inherit(from: Iteration, to: Iteration, events: EventLog): Promise<Told> {
    const { store } = this.#parts;
    const states = store.statesFolder(to);
    await rename(store.statesFolder(from), states).catch((error: unknown) => {
      if (errorCode(error) !== "ENOENT") throw toIoError(error, states, "write"); // It has none, or they were moved before.
    });
    if ((await listTrainingStates(states)).length === 0) return NOTHING_TOLD;
    const { steps } = await readTold(await EventLog.openEnded(store.eventsFile(from)));
    for (const value of steps) await events.append({ $case: "step", value });
    return { steps, checkpoints: new Map() };
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
    const spec = record.iteration.spec as CheckedSpec; // Checked when it was asked for.
    const { iterationId, runId, baseDigest, number } = record.iteration;
    const log = this.#parts.log.child({ iteration: iterationId });
    const attributes = { "spin.run": runId, "spin.iteration": iterationId, "spin.iteration.number": number };
    let outcome: Partial<Iteration>;
    try {
      if (record.iteration.state !== JobState.JOB_STATE_RUNNING) {
        await this.#change(record, events, { state: JobState.JOB_STATE_RUNNING, startTime: timestampNow() });
      }
      const last = await withSpan(
        "iteration",
        { attributes },
        async () => {
          const run = this.#parts.runs.get(runId);
          const baseFolder = await this.#folderOf(run, baseDigest);
          const before = this.#parts.runs.succeeded(runId);
          const stepsBefore = before.reduce((sum, { stepsDone }) => sum + stepsDone, 0);
          const under = spec.lora && adapterBase(spec.lora, before, baseDigest);
          const adapter = under && { ...under, baseFolder: await this.#folderOf(run, under.baseDigest) };
          const earlierDigests = before.map((iteration) => iteration.baseDigest);
          const { iteration } = record;
          const { forced = [] } = record;
          const statesFolder = this.#parts.store.statesFolder(iteration);
          const dataset = await this.#datasetFor(spec, run.dataset!);
          const facts = { run, iteration, spec, baseFolder, adapter, dataset, stepsBefore, earlierDigests };
          const job = { ...facts, told, statesFolder, forced };
          return trainIteration(job, { ...this.#parts, log }, this.#reportsTo(record, events, told), signal);
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
    await this.#finish(record, events, outcome);
  }

  /** Where a model of a run lies: its base, or a checkpoint. @throws SpinError as `BaseModels.find` */
  async #folderOf(run: Run, digest: string): Promise<string> {
    return (await this.#parts.models.find(this.#refOf(run, digest))).folder;
  }

  #refOf(run: Run, digest: string): CheckpointRef {
    return { digest, modelName: digest === run.base!.digest ? run.base!.modelName : "" };
  }

  /** What was told before an interruption is not told again. */
  #reportsTo(record: IterationRecord, events: EventLog, told: Told): IterationReports {
    return {
      pinned: (samplingSpecDigest, computeFingerprint) => {
        const before = record.iteration.computeFingerprint;
        if (before !== "" && before !== computeFingerprint) {
          noteForced(record, [`compute_fingerprint: ${before}, now ${computeFingerprint}`], told.steps.length);
        }
        return this.#keep(record, { samplingSpecDigest, computeFingerprint });
      },
      step: async (value) => {
        if (value.step <= told.steps.length) return this.#compare(record, value, told.steps[value.step - 1]!);
        // Not written with every step: the event is there, and a state change brings the file up to date.
        record.iteration = { ...record.iteration, stepsDone: value.step };
        await events.append({ $case: "step", value });
      },
      checkpoint: async (value) => {
        await this.#keep(record, {});
        if (told.checkpoints.get(value.step)?.digest === value.digest) return;
        await events.append({ $case: "checkpoint", value });
      },
    };
  }

  /** A step that was done before the interruption, done again: on a CPU to the same bits. */
  async #compare(record: IterationRecord, now: StepMetrics, before: StepMetrics): Promise<void> {
    record.iteration = { ...record.iteration, stepsDone: now.step };
    if (now.loss === before.loss && now.gradNorm === before.gradNorm) return;
    this.#parts.log.warn({ step: now.step, loss: [before.loss, now.loss] }, "a step done again came out differently");
  }

  /** Finds out how far an earlier process came with an iteration, and whether this trainer may go on with it. */
  async #takeUp(record: IterationRecord): Promise<void> {
    const { store, config, configuration, log } = this.#parts;
    const path = store.eventsFile(record.iteration);
    const lost = await EventLog.mend(path);
    if (lost > 0) log.error({ file: path, bytes: lost }, "the events are damaged: their steps are done and told again");
    const told = await readTold(await EventLog.openEnded(path));
    if (told.end !== undefined) return this.#keep(record, told.end); // Told of, and then not saved.
    const stepsDone = told.steps.length;
    // A state is saved once its step was told; after a crash of the machine it may be there and the telling not.
    for (const state of await dropStatesAfter(store.statesFolder(record.iteration), stepsDone)) {
      log.warn({ state, stepsDone }, "training state removed: the events that go before it are lost");
    }
    const changed = changedKeys(record.configuration, configuration);
    if (changed.length > 0) {
      const { iterationId } = record.iteration;
      if (!config.force) {
        const message = `the iteration "${iterationId}" was begun under another configuration: ${changed.join("; ")}`;
        const remedy = "start the trainer as it was, or with --force, which the checkpoints' lineage then tells";
        throw new SpinError("precondition", message, { remedy });
      }
      log.warn({ iteration: iterationId, changed }, "going on by force under another configuration");
      noteForced(record, changed, stepsDone);
      record.configuration = configuration;
    }
    await this.#keep(record, { stepsDone });
    this.#told.set(record, told);
    this.#logs.set(record.iteration.iterationId, await EventLog.open(path));
  }

  async #finish(record: IterationRecord, events: EventLog, outcome: Partial<Iteration>): Promise<void> {
    this.#unsaved.add(record);
    const end = performance.now() + LAST_WORD_PATIENCE_MS;
    while (this.#unsaved.has(record)) {
      const error = await this.#keep(record, { ...outcome, endTime: timestampNow() }).catch(
        (thrown: unknown) => thrown,
      );
      if (error === undefined) break;
      // A full disk refuses this too; those who ask are told all the same in the end.
      this.#parts.log.error({ err: error }, "the iteration's outcome could not be saved");
      if (performance.now() > end || this.#stopping.signal.aborted) break;
      await sleep(LAST_WORD_AGAIN_MS);
    }
    await events.end({ $case: "stateChange", value: record.iteration });
  }

  async #change(record: IterationRecord, events: EventLog, change: Partial<Iteration>): Promise<void> {
    await this.#keep(record, change);
    await events.append({ $case: "stateChange", value: record.iteration });
  }

  async #keep(record: IterationRecord, change: Partial<Iteration>): Promise<void> {
    record.iteration = { ...record.iteration, ...change };
    await this.#parts.store.putIteration(record);
    this.#unsaved.delete(record);
  }
}

/** How long an iteration's end waits to be told for a disk that does not take it: told and not kept, a restart would go on after it. */
const LAST_WORD_PATIENCE_MS = 10_000;
const LAST_WORD_AGAIN_MS = 500;

function failed(thrown: unknown): Partial<Iteration> {
  const { kind, message } = asSpinError(thrown);
  if (kind === "cancelled") return { state: JobState.JOB_STATE_CANCELLED };
  return { state: JobState.JOB_STATE_FAILED, failure: { reason: reasonOf(kind), message } };
}

/** Writes down that an iteration goes on although something has changed. */
function noteForced(record: IterationRecord, changed: readonly string[], afterStep: number): void {
  record.forced = [...(record.forced ?? []), ...changed.map((change) => `after step ${afterStep}: ${change}`)];
}

/** Kinds of failure that another attempt may not meet again. */
const PASSING: ReadonlySet<string> = new Set(["unavailable", "exhausted", "internal", "corrupt", "precondition"]);

function specOf({ spec }: Iteration): string {
  return canonicalJson(IterationSpec.toJSON(spec!));
}

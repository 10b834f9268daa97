import { SpinError } from "../core/errors.js";
import { asSpinError, reasonOf } from "../core/service/error-table.js";
import { contextOf, currentTraceparent, withSpan } from "../core/service/tracing.js";
import { type DatasetRef, JobState } from "../proto/gen/spin/v1/common.js";
import {
  Iteration,
  type Run,
  StartIterationRequest,
  type WatchIterationResponse,
} from "../proto/gen/spin/v1/trainer_service.js";
import { adapterBase } from "./adapter-start.js";
import type { BaseModels } from "./base-models.js";
import type { IterationReports } from "./iteration-loop.js";
import { EventLog } from "./jobs/event-log.js";
import { findRepeated, type IterationRecord, originOf } from "./jobs/records.js";
import type { RunStore } from "./jobs/run-store.js";
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
  readonly #starting = new Serial();
  #active: Active | undefined;
  /** The end of the last iteration's work, its log included. */
  #done: Promise<void> = Promise.resolve();
  readonly #stopping = new AbortController();

  private constructor(parts: IterationsParts) {
    this.#parts = parts;
  }

  /** Takes up what an earlier process left: what it had not ended has failed. */
  static async open(parts: IterationsParts): Promise<Iterations> {
    const iterations = new Iterations(parts);
    for (const record of parts.store.iterations) {
      if (!isFinal(record.iteration)) await iterations.#bury(record);
    }
    return iterations;
  }

  /**
   * Starts the next iteration of a run.
   * @throws SpinError "precondition" while one is active, "notFound" for the run, and as `findRepeated` and `findDataset`
   */
  start(request: CheckedIterationRequest): Promise<Iteration> {
    return this.#starting.run(async () => {
      const { requestId, runId } = request;
      const origin = originOf(requestId, StartIterationRequest.toJSON({ ...request, requestId: "" }));
      const repeated = findRepeated(this.#parts.store.iterations, origin);
      if (repeated !== undefined) return repeated.iteration;
      const run = this.#parts.runs.get(runId);
      this.#refuseSecond();
      const spec = withDefaults(request.spec);
      const dataset = await this.#datasetFor(spec, run.dataset!);
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
      const record = { origin, traceparent: currentTraceparent(), iteration };
      const events = await EventLog.open(this.#parts.store.eventsFile(iteration));
      await this.#parts.store.putIteration(record);
      await events.append({ $case: "stateChange", value: iteration });
      this.#logs.set(iteration.iterationId, events);
      const controller = new AbortController();
      this.#active = { record, controller };
      this.#done = this.#run(record, spec, dataset, events, controller.signal);
      return iteration;
    });
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
    const events = this.#logs.get(iterationId) ?? (await EventLog.openEnded(store.eventsFile(iteration)));
    yield* events.read(afterSequence, signal);
  }

  /** Ends the iteration at work, which counts as failed. No other begins. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    const remedy = "start the iteration again under another request_id";
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
  async #run(
    record: IterationRecord,
    spec: CheckedSpec,
    dataset: DatasetRef,
    events: EventLog,
    signal: AbortSignal,
  ): Promise<void> {
    const { iterationId, runId, baseDigest, number } = record.iteration;
    const log = this.#parts.log.child({ iteration: iterationId });
    const attributes = { "spin.run": runId, "spin.iteration": iterationId, "spin.iteration.number": number };
    let outcome: Partial<Iteration>;
    try {
      await this.#change(record, events, { state: JobState.JOB_STATE_RUNNING, startTime: timestampNow() });
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
          const job = { run, iteration, spec, baseFolder, adapter, dataset, stepsBefore, earlierDigests };
          return trainIteration(job, { ...this.#parts, log }, this.#reportsTo(record, events), signal);
        },
        contextOf(record.traceparent),
      );
      outcome = { state: JobState.JOB_STATE_SUCCEEDED, checkpointDigest: last.digest };
      log.info({ checkpoint: last.digest, steps: last.step }, "iteration succeeded");
    } catch (error) {
      outcome = failed(signal.aborted ? signal.reason : error);
      log[signal.aborted ? "info" : "error"]({ err: error }, "iteration ended early");
    }
    this.#active = undefined; // Whoever hears of the end may start the next at once.
    await this.#finish(record, events, outcome);
  }

  /** Where a model of a run lies: its base, or a checkpoint. @throws SpinError as `BaseModels.find` */
  async #folderOf(run: Run, digest: string): Promise<string> {
    const modelName = digest === run.base!.digest ? run.base!.modelName : "";
    return (await this.#parts.models.find({ digest, modelName })).folder;
  }

  #reportsTo(record: IterationRecord, events: EventLog): IterationReports {
    return {
      pinned: (samplingSpecDigest, computeFingerprint) =>
        this.#keep(record, { samplingSpecDigest, computeFingerprint }),
      step: async (value) => {
        // Not written with every step: the event is there, and a state change brings the file up to date.
        record.iteration = { ...record.iteration, stepsDone: value.step };
        await events.append({ $case: "step", value });
      },
      checkpoint: async (value) => {
        await this.#keep(record, {});
        await events.append({ $case: "checkpoint", value });
      },
    };
  }

  /** Marks what a process left behind when it died. */
  async #bury(record: IterationRecord): Promise<void> {
    const path = this.#parts.store.eventsFile(record.iteration);
    const stepsDone = await lastStep(await EventLog.openEnded(path));
    const events = await EventLog.open(path);
    this.#logs.set(record.iteration.iterationId, events);
    const message = `the trainer's process ended during this iteration, after step ${stepsDone}`;
    const remedy = "start it again under another request_id";
    await this.#finish(record, events, { stepsDone, ...failed(new SpinError("unavailable", message, { remedy })) });
  }

  async #finish(record: IterationRecord, events: EventLog, outcome: Partial<Iteration>): Promise<void> {
    await this.#keep(record, { ...outcome, endTime: timestampNow() }).catch((error: unknown) => {
      // A full disk refuses this too; those who ask are told all the same.
      this.#parts.log.error({ err: error }, "the iteration's outcome could not be saved");
    });
    await events.end({ $case: "stateChange", value: record.iteration });
  }

  async #change(record: IterationRecord, events: EventLog, change: Partial<Iteration>): Promise<void> {
    await this.#keep(record, change);
    await events.append({ $case: "stateChange", value: record.iteration });
  }

  async #keep(record: IterationRecord, change: Partial<Iteration>): Promise<void> {
    record.iteration = { ...record.iteration, ...change };
    await this.#parts.store.putIteration(record);
  }
}

function isFinal({ state }: Iteration): boolean {
  return state !== JobState.JOB_STATE_QUEUED && state !== JobState.JOB_STATE_RUNNING;
}

function failed(thrown: unknown): Partial<Iteration> {
  const { kind, message } = asSpinError(thrown);
  if (kind === "cancelled") return { state: JobState.JOB_STATE_CANCELLED };
  return { state: JobState.JOB_STATE_FAILED, failure: { reason: reasonOf(kind), message } };
}

/** Number of the last step that a log tells of; 0 where there is none. */
async function lastStep(events: EventLog): Promise<number> {
  let last = 0;
  for await (const { event } of events.read(0, new AbortController().signal)) {
    if (event?.$case === "step") last = event.value.step;
  }
  return last;
}

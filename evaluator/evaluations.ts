import { createHash } from "node:crypto";
import { context } from "@opentelemetry/api";
import { digestOf } from "../core/canonical-json.js";
import { SpinError } from "../core/errors.js";
import { throwIfAborted } from "../core/service/deadline.js";
import { asSpinError, reasonOf } from "../core/service/error-table.js";
import type { Logger } from "../core/service/logging.js";
import { withSpan } from "../core/service/tracing.js";
import type { Timestamp } from "../proto/gen/google/protobuf/timestamp.js";
import { JobState } from "../proto/gen/spin/v1/common.js";
import { EvaluationSpec } from "../proto/gen/spin/v1/evaluation.js";
import { Evaluation, type WatchEvaluationResponse } from "../proto/gen/spin/v1/evaluator_service.js";
import type { EvaluationNotes, EvaluationParts } from "./evaluation-run.js";
import { EventLog } from "./event-log.js";
import { openPrompts, type PromptSet } from "./prompts.js";
import { type CheckedSpec, evaluationSpec, REAL_LABEL } from "./requests.js";
import { runEvaluation } from "./run-evaluation.js";
import { locateScorer } from "./scorers/locate-scorer.js";

/** Evaluations that may wait while one is at work. */
const MAX_QUEUED = 32;
/** When to ask again where that many wait, in seconds. */
const RETRY_SECONDS = 60;

type Event = NonNullable<WatchEvaluationResponse["event"]>;

interface Entry {
  evaluation: Evaluation;
  readonly requestDigest: string;
  controller: AbortController;
  /** Undefined until somebody asks, for an evaluation of an earlier process. */
  events: EventLog<WatchEvaluationResponse> | undefined;
}

/** All evaluations of this service: started, queued, run one after another, kept on disk. */
export class Evaluations {
  readonly #parts: EvaluationParts;
  readonly #log: Logger;
  readonly #entries = new Map<string, Entry>();
  readonly #starting = new Map<string, Promise<Evaluation>>();
  /** The end of the last evaluation in the queue. */
  #last: Promise<void> = Promise.resolve();
  readonly #stopping = new AbortController();

  private constructor(parts: EvaluationParts, log: Logger) {
    this.#parts = parts;
    this.#log = log;
  }

  /** Takes up what an earlier process left: what it had not finished goes on, oldest first. */
  static async open(parts: EvaluationParts, log: Logger): Promise<Evaluations> {
    const evaluations = new Evaluations(parts, log);
    for (const { evaluation, requestDigest } of await parts.store.load(log)) {
      const entry = { evaluation, requestDigest, controller: new AbortController(), events: undefined };
      evaluations.#entries.set(evaluation.evaluationId, entry);
    }
    for (const { evaluationId, state } of evaluations.list()) {
      if (isFinal(state)) continue;
      await parts.store.sweep(evaluationId);
      evaluations.#enqueue(evaluations.#entry(evaluationId));
    }
    return evaluations;
  }

  /**
   * Starts an evaluation, or returns the one that this request started before.
   *
   * @param given the specification as the request has it, whose digest tells repetitions from conflicts.
   * @param resume takes one up again that has failed or was cancelled.
   * @throws SpinError `alreadyExists` for the same request_id with another specification, `exhausted` when too many
   * wait or the disk is all but full, `notFound`, `precondition` or `invalid` for what the specification names.
   */
  async start(requestId: string, given: EvaluationSpec, spec: CheckedSpec, resume = false): Promise<Evaluation> {
    const id = evaluationIdOf(requestId);
    const requestDigest = digestOf(EvaluationSpec.toJSON(given));
    for (let other = this.#starting.get(id); other !== undefined; other = this.#starting.get(id)) {
      await other.catch(() => undefined);
    }
    const present = this.#entries.get(id);
    if (present !== undefined && present.requestDigest !== requestDigest) {
      const message = `an evaluation with other content was started by the request "${requestId}"`;
      throw new SpinError("alreadyExists", message, { field: "request_id", remedy: "choose another request_id" });
    }
    if (present !== undefined && !(resume && hasFailed(present.evaluation))) return present.evaluation;
    const starting = present === undefined ? this.#create(id, requestDigest, spec) : this.#resume(present);
    this.#starting.set(id, starting);
    return starting.finally(() => this.#starting.delete(id));
  }

  /** By its identifier, or the request_id that it was started with. @throws SpinError `notFound` */
  get(id: string): Evaluation {
    return this.#entry(id).evaluation;
  }

  /** Oldest first. */
  list(): Evaluation[] {
    const seconds = ({ createTime }: Evaluation) => Number(createTime!.seconds) + createTime!.nanos / 1e9;
    return [...this.#entries.values()].map(({ evaluation }) => evaluation).sort((a, b) => seconds(a) - seconds(b));
  }

  /** Asks an evaluation to end; the one at work does so between two steps. @throws SpinError `notFound` */
  async cancel(id: string): Promise<Evaluation> {
    const entry = this.#entry(id);
    const error = new SpinError("cancelled", "the evaluation was cancelled");
    entry.controller.abort(error);
    if (entry.evaluation.state === JobState.JOB_STATE_QUEUED) await this.#finish(entry, error);
    return entry.evaluation;
  }

  /** An evaluation's events after a sequence number, as they come. @throws SpinError `notFound` */
  async *watch(id: string, after: number, signal: AbortSignal): AsyncGenerator<WatchEvaluationResponse> {
    const events = await this.#events(this.#entry(id));
    yield* events.follow(after, AbortSignal.any([signal, this.#stopping.signal]));
  }

  /** Ends all work; what was not finished goes on in the next process. */
  async stop(): Promise<void> {
    const error = new SpinError(
      "unavailable",
      "the evaluator was stopped; its evaluations go on when it is started again",
      {
        remedy: "start the evaluator and watch the evaluation again",
      },
    );
    this.#stopping.abort(error);
    for (const { controller } of this.#entries.values()) controller.abort(error);
    await this.#last;
  }

  async #create(id: string, requestDigest: string, spec: CheckedSpec): Promise<Evaluation> {
    if (this.#stopping.signal.aborted) throw new SpinError("unavailable", "the evaluator is shutting down");
    await this.#requireRoom();
    const prompts = await openPrompts(spec.prompts, spec.maxPrompts, this.#parts.data);
    for (const [i, name] of spec.scorers.entries()) {
      await locateScorer(this.#parts.modelDir, name, spec.scorerPaths[name], `spec.scorers[${i}]`);
    }
    const entry: Entry = {
      evaluation: Evaluation.fromPartial({
        evaluationId: id,
        spec: { ...spec, prompts: prompts.ref },
        state: JobState.JOB_STATE_QUEUED,
        numPrompts: prompts.prompts.length,
        createTime: now(),
      }),
      requestDigest,
      controller: new AbortController(),
      events: new EventLog(),
    };
    await this.#parts.store.save(entry);
    this.#entries.set(id, entry);
    this.#enqueue(entry, prompts);
    return entry.evaluation;
  }

  /** Takes up one that has failed or was cancelled: what was scored is still there. */
  async #resume(entry: Entry): Promise<Evaluation> {
    await this.#requireRoom();
    const events = await this.#events(entry);
    events.reopen();
    entry.controller = new AbortController();
    await this.#change(entry, { state: JobState.JOB_STATE_QUEUED, failure: undefined, endTime: undefined });
    this.#enqueue(entry);
    return entry.evaluation;
  }

  /** In the queue and on the disk. */
  async #requireRoom(): Promise<void> {
    await this.#parts.disk.require();
    const states = [...this.#entries.values()].map(({ evaluation }) => evaluation.state);
    if (states.filter((state) => state === JobState.JOB_STATE_QUEUED).length < MAX_QUEUED) return;
    throw new SpinError("exhausted", `${MAX_QUEUED} evaluations wait already`, { retryAfterSeconds: RETRY_SECONDS });
  }

  #enqueue(entry: Entry, prompts?: PromptSet): void {
    // The work belongs to the trace of the call that asked for it, though it outlives the call.
    const caller = context.active();
    this.#last = this.#last.then(() => context.with(caller, () => this.#run(entry, prompts)));
  }

  /** Runs an evaluation to its end. Never rejects: the outcome is the evaluation's state. */
  async #run(entry: Entry, opened?: PromptSet): Promise<void> {
    const { evaluationId: id } = entry.evaluation;
    const log = this.#log.child({ evaluation: id });
    const { signal } = entry.controller;
    if (isFinal(entry.evaluation.state)) return;
    try {
      throwIfAborted(signal);
      await this.#change(entry, { state: JobState.JOB_STATE_RUNNING });
      const spec = evaluationSpec.parse(entry.evaluation.spec);
      const prompts = opened ?? (await openPrompts(spec.prompts, spec.maxPrompts, this.#parts.data));
      const notes: EvaluationNotes = {
        scorers: (scorers) =>
          this.#save(entry, {
            scorers: scorers.map(({ name, digest, pairAccuracy }) => ({ name, digest, pairAccuracy })),
          }),
        progress: (value) => this.#tell(entry, { $case: "progress", value }),
        real: (real) => this.#save(entry, { real }),
        result: async (value, computeFingerprint) => {
          await this.#save(entry, withResult(entry.evaluation, value, computeFingerprint));
          await this.#tell(entry, { $case: "result", value });
        },
      };
      const attributes = { "spin.evaluation.id": id };
      const { results, real, computeFingerprint } = entry.evaluation;
      const finished = new Set([...results.map(({ label }) => label), ...(real === undefined ? [] : [REAL_LABEL])]);
      const task = { id, spec, prompts, finished, computeFingerprint };
      await withSpan("evaluation", { attributes }, () => runEvaluation(task, this.#parts, notes, signal));
      await this.#finish(entry);
      log.info("evaluation succeeded");
    } catch (error) {
      // Left as it is, for the next process to go on with.
      if (this.#stopping.signal.aborted && signal.reason === this.#stopping.signal.reason) return;
      log[signal.aborted ? "info" : "error"]({ err: error }, "evaluation ended early");
      // A disk that is full refuses this too; then the state is at least told to those who ask.
      await this.#finish(entry, error).catch((err: unknown) => log.error({ err }, "the outcome could not be saved"));
    }
  }

  /** Brings an evaluation to its final state. */
  async #finish(entry: Entry, thrown?: unknown): Promise<void> {
    try {
      await this.#change(entry, { ...outcomeOf(thrown, entry.controller.signal), endTime: now() });
    } finally {
      (await this.#events(entry)).end();
    }
  }

  async #change(entry: Entry, change: Partial<Evaluation>): Promise<void> {
    entry.evaluation = { ...entry.evaluation, ...change };
    await this.#parts.store.save(entry);
    await this.#tell(entry, { $case: "stateChange", value: entry.evaluation });
  }

  async #save(entry: Entry, change: Partial<Evaluation>): Promise<void> {
    entry.evaluation = { ...entry.evaluation, ...change };
    await this.#parts.store.save(entry);
  }

  async #tell(entry: Entry, event: Event): Promise<void> {
    const events = await this.#events(entry);
    const response: WatchEvaluationResponse = { sequence: events.nextSequence, time: now(), event };
    await this.#parts.store.appendEvent(entry.evaluation.evaluationId, response);
    events.append(response);
  }

  async #events(entry: Entry): Promise<EventLog<WatchEvaluationResponse>> {
    if (entry.events === undefined) {
      const { evaluationId, state } = entry.evaluation;
      const events = await this.#parts.store.readEvents(evaluationId);
      entry.events ??= new EventLog(events, isFinal(state));
    }
    return entry.events;
  }

  #entry(id: string): Entry {
    const entry = this.#entries.get(id) ?? this.#entries.get(evaluationIdOf(id));
    if (entry !== undefined) return entry;
    throw new SpinError("notFound", `there is no evaluation "${id}"`, {
      field: "evaluation_id",
      remedy: "list evaluations to see which there are",
    });
  }
}

/** How an evaluation ended, by what was thrown. An abort has its own reason, whatever it was that gave up first. */
function outcomeOf(thrown: unknown, signal: AbortSignal): Partial<Evaluation> {
  if (thrown === undefined) return { state: JobState.JOB_STATE_SUCCEEDED };
  const { kind, message } = asSpinError(signal.aborted ? signal.reason : thrown);
  if (kind === "cancelled" && signal.aborted) return { state: JobState.JOB_STATE_CANCELLED };
  return { state: JobState.JOB_STATE_FAILED, failure: { reason: reasonOf(kind), message } };
}

/** The same for the same request, whichever process answers it. */
function evaluationIdOf(requestId: string): string {
  return `evaluation-${createHash("sha256").update(requestId).digest("hex").slice(0, 16)}`;
}

/** Results in the order of the specification, whose checkpoint gets the digest that its pictures came with. */
function withResult(
  { spec, results }: Evaluation,
  result: Evaluation["results"][number],
  computeFingerprint: string,
): Partial<Evaluation> {
  const checkpoints = spec!.checkpoints.map((one) =>
    one.label === result.label ? { ...one, checkpoint: { ...one.checkpoint!, digest: result.checkpointDigest } } : one,
  );
  const position = new Map(checkpoints.map(({ label }, i) => [label, i]));
  const others = results.filter(({ label }) => label !== result.label);
  const all = [...others, result].sort((a, b) => position.get(a.label)! - position.get(b.label)!);
  return { spec: { ...spec!, checkpoints }, results: all, computeFingerprint };
}

function hasFailed({ state }: Evaluation): boolean {
  return isFinal(state) && state !== JobState.JOB_STATE_SUCCEEDED;
}

function isFinal(state: JobState): boolean {
  return state !== JobState.JOB_STATE_QUEUED && state !== JobState.JOB_STATE_RUNNING;
}

function now(): Timestamp {
  const ms = Date.now();
  return { seconds: BigInt(Math.floor(ms / 1000)), nanos: (ms % 1000) * 1_000_000 };
}

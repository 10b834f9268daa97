import { SpinError } from "../../core/errors.js";
import type { RpcChannel } from "../../core/service/client.js";
import { checkBatchContent, sealedRequest } from "../../core/service/content-digest.js";
import { Deadline, sleep, throwIfAborted } from "../../core/service/deadline.js";
import { asSpinError } from "../../core/service/error-table.js";
import type { Logger } from "../../core/service/logging.js";
import { count, type Observation, watch } from "../../core/service/metrics.js";
import { epochMs, linksTo, recordSpan } from "../../core/service/tracing.js";
import { GeneratorServiceService, type SampleTrajectoriesResponse } from "../../proto/gen/spin/v1/generator_service.js";
import type { DrawBatch, SamplingSpec } from "../../proto/gen/spin/v1/sampling.js";
import { Wakeup } from "../wakeup.js";
import { type Asking, BatchLedger } from "./batch-ledger.js";
import type { Draws } from "./check-draws.js";
import type { Generators } from "./generators.js";
import { Replica } from "./replica.js";
import { SampleCounts } from "./sample-counts.js";

export interface DrawSourceOptions {
  readonly spec: SamplingSpec;
  /** Batch to begin with; those before have been consumed by steps that are done. */
  readonly firstBatch: number;
  /** Sampling batches in all. */
  readonly numBatches: number;
  /** Reads a message for the batch that begins at this index; throws where it is not what it should be. */
  readonly check: (batch: DrawBatch | undefined, firstIndex: number) => Draws;
  readonly generators: Generators;
  /** Sampling batches to hold or to have asked for ahead of the one that is handed out next. */
  readonly prefetch: number;
  /** Time that one batch may take. */
  readonly batchTimeoutMs: number;
  /** Time without any generator of use after which to give up. */
  readonly patienceMs: number;
  readonly log: Logger;
  /** Ends everything. */
  readonly signal: AbortSignal;
}

const SAMPLE = GeneratorServiceService.sampleTrajectories;
/** Batches asked of one replica at a time: one that it computes, one that waits there, so that it is never idle. */
const LANES = 2;

/** A batch that has been read and checked. */
interface Fetched {
  readonly draws: Draws;
  /** When all of its message was there, in milliseconds since the epoch. */
  readonly arrivedMs: number;
}

/**
 * The draws of an iteration, strictly in the order of their indices, whatever the order in which replicas deliver them. Asking
 * starts at once and goes on while draws are consumed, within a bounded window. Delivered at least once, handed out exactly once. A batch
 * that takes a replica far longer than usual is asked of another one too, once that has nothing else to do.
 */
export class DrawSource implements AsyncIterable<Draws> {
  readonly #options: DrawSourceOptions;
  readonly #replicas = new Map<RpcChannel, Replica>();
  readonly #batches: BatchLedger<Replica>;
  readonly #changed = new Wakeup();
  readonly #end: Deadline;
  readonly #lanes = new Set<Promise<void>>();
  readonly #stopListening: () => void;
  readonly #unwatch: readonly (() => void)[];
  /** What became of what was delivered. */
  readonly counts = new SampleCounts();
  #lonelySince: number | undefined;
  #failure: SpinError | undefined;

  constructor(options: DrawSourceOptions) {
    this.#options = options;
    this.#batches = new BatchLedger(options);
    this.#end = new Deadline(Number.POSITIVE_INFINITY, options.signal);
    this.#end.signal.addEventListener("abort", () => this.#changed.wake(), { once: true });
    this.#stopListening = options.generators.onChange(() => this.#meet());
    this.#unwatch = [
      watch("spin.trainer.draws.ready", () => [{ value: this.#batches.ready }]),
      watch("spin.trainer.generators", () => this.#countReplicas()),
    ];
    this.#meet();
    this.#run(this.#watch());
  }

  /** @throws SpinError naming each generator and its reason where none is of use any more; the signal's error once it is aborted */
  async *[Symbol.asyncIterator](): AsyncGenerator<Draws, void, undefined> {
    while (!this.#batches.isDone) {
      const changed = this.#changed.wait();
      const draws = this.#batches.take();
      if (draws !== undefined) {
        this.counts.train(this.#batchSize);
        this.#changed.wake();
        yield draws;
      } else {
        if (this.#failure !== undefined) throw this.#failure;
        throwIfAborted(this.#end.signal);
        await changed;
      }
    }
  }

  /** Ends all calls and waits until they have ended. */
  async close(): Promise<void> {
    this.#stopListening();
    for (const end of this.#unwatch) end();
    this.#end.abort(new SpinError("cancelled", "the iteration has ended"));
    this.#end.dispose();
    await Promise.all(this.#lanes);
    this.counts.refuse(this.#batches.ready * this.#batchSize); // Nobody will ask for them any more.
    this.#batches.clear();
  }

  /** Samples in a batch. */
  get #batchSize(): number {
    return this.#options.spec.settings!.batchSize;
  }

  #countReplicas(): Observation[] {
    const all = [...this.#replicas.values()];
    const useful = all.filter(({ isUseful }) => isUseful).length;
    return [
      { value: useful, attributes: { useful: true } },
      { value: all.length - useful, attributes: { useful: false } },
    ];
  }

  /** Takes up replicas that joined. */
  #meet(): void {
    const { channels } = this.#options.generators;
    for (const channel of channels) {
      if (this.#replicas.has(channel)) continue;
      const replica = new Replica(channel);
      this.#replicas.set(channel, replica);
      for (let lane = 0; lane < LANES; lane++) this.#run(this.#pull(replica));
    }
    for (const channel of this.#replicas.keys()) if (!channels.includes(channel)) this.#replicas.delete(channel);
    this.#changed.wake();
  }

  #run(work: Promise<void>): void {
    this.#lanes.add(work);
    work.catch((error: unknown) => this.#fail(asSpinError(error))).finally(() => this.#lanes.delete(work));
  }

  /** Asks one replica for one batch after another. */
  async #pull(replica: Replica): Promise<void> {
    while (this.#isAsking(replica)) {
      const changed = this.#changed.wait();
      const asking = this.#batches.ask(replica, Math.max(this.#options.prefetch, LANES * this.#replicas.size));
      if (asking === undefined) {
        await changed;
        continue;
      }
      try {
        const { draws, arrivedMs } = await this.#fetch(asking);
        if (replica.isSetAside) {
          this.counts.refuse(this.#batchSize);
          throw replica.lastError!; // By its other lane, meanwhile: nothing of it is believed.
        }
        if (!this.#batches.deliver(asking, draws)) this.counts.refuse(this.#batchSize); // Another was faster.
        recordSpan("take draws", arrivedMs, epochMs(), { links: linksTo(draws.traceparent) });
        replica.succeed();
        this.#changed.wake();
      } catch (error) {
        this.#batches.giveUp(asking);
        this.#changed.wake();
        // Whoever was asked for a straggler's batch in vain is not to blame.
        if (!(asking.isSecond && asking.overtaken.signal.aborted)) await this.#suffer(replica, asSpinError(error));
      }
    }
  }

  #isAsking(replica: Replica): boolean {
    const isOver = this.#end.signal.aborted || this.#batches.isDone;
    return !isOver && !replica.isSetAside && this.#replicas.has(replica.channel);
  }

  async #fetch({ replica, batch, overtaken }: Asking<Replica>): Promise<Fetched> {
    const { spec, batchTimeoutMs } = this.#options;
    const numSamples = spec.settings!.batchSize;
    const firstIndex = batch * numSamples;
    const end = new Deadline(Number.POSITIVE_INFINITY, this.#end.signal);
    overtaken.signal.addEventListener("abort", () => end.abort(overtaken.signal.reason), { once: true });
    const options = { timeoutMs: batchTimeoutMs, signal: end.signal };
    const request = sealedRequest({ spec, firstIndex, numSamples, contentDigest: "" });
    let draws: Draws | undefined;
    let arrivedMs = 0;
    const responseDeserialize = (message: Buffer) => {
      arrivedMs = epochMs();
      count("spin.trainer.received", message.length);
      return SAMPLE.responseDeserialize(message);
    };
    try {
      for await (const response of replica.channel.stream({ ...SAMPLE, responseDeserialize }, request, options)) {
        this.counts.arrive(numSamples);
        if (draws !== undefined) {
          this.counts.refuse(numSamples); // More than was asked for: a repetition, or a stray.
          continue;
        }
        try {
          draws = this.#read(replica, response, firstIndex);
        } catch (error) {
          this.counts.refuse(numSamples);
          throw error;
        }
      }
    } catch (error) {
      if (draws !== undefined) this.counts.refuse(numSamples); // The stream broke off behind them: they are asked for again.
      throw error;
    } finally {
      end.dispose();
    }
    if (draws === undefined) throw new SpinError("corrupt", `the stream of samples from ${firstIndex} on was empty`);
    return { draws, arrivedMs };
  }

  /** @throws SpinError for a message that the way has changed, and for one that the replica is to blame for: it is set aside then */
  #read(replica: Replica, { batch }: SampleTrajectoriesResponse, firstIndex: number): Draws {
    if (batch === undefined) throw new SpinError("corrupt", "batch: expected a message, got nothing");
    checkBatchContent(batch);
    try {
      return this.#options.check(batch, firstIndex);
    } catch (error) {
      const { kind, message } = asSpinError(error);
      const isOther = kind === "precondition"; // Draws of other weights or another job: good for someone else.
      const wrong = new SpinError(isOther ? kind : "corrupt", `its draws are refused: ${message}`, { cause: error });
      this.#setAside(replica, wrong);
      throw wrong;
    }
  }

  /** What a failed call means for its replica; returns when it may be asked again. */
  async #suffer(replica: Replica, error: SpinError): Promise<void> {
    if (this.#end.signal.aborted || replica.isSetAside) return;
    const consequence = replica.fail(error);
    if (consequence === "setAside") return this.#setAside(replica, error);
    const { waitMs, isBusy } = consequence;
    if (!isBusy) this.#options.log.warn({ err: error, generator: replica.channel.address }, "generator failed");
    await this.#pause(waitMs);
  }

  async #pause(ms: number): Promise<void> {
    await sleep(ms, this.#end.signal).catch(() => undefined);
  }

  #setAside(replica: Replica, error: SpinError): void {
    replica.setAside(error);
    this.#options.log.error({ err: error, generator: replica.channel.address }, "generator set aside");
    const all = [...this.#replicas.values()];
    if (all.every(({ isSetAside }) => isSetAside)) {
      this.#fail(new SpinError(error.kind, `no generator is of use: ${reasons(all)}`, { cause: error }));
    }
  }

  #fail(error: SpinError): void {
    this.#failure ??= error;
    this.#end.abort(error);
    this.#changed.wake();
  }

  /** Gives up when no replica has been of use for long. */
  async #watch(): Promise<void> {
    const { patienceMs } = this.#options;
    while (!this.#end.signal.aborted) {
      await this.#pause(Math.min(1000, patienceMs / 4));
      this.#changed.wake(); // Somebody may have become a straggler meanwhile.
      const all = [...this.#replicas.values()];
      const isLonely = all.every(({ isUseful }) => !isUseful);
      this.#lonelySince = isLonely ? (this.#lonelySince ?? performance.now()) : undefined;
      if (this.#lonelySince === undefined || performance.now() - this.#lonelySince < patienceMs) continue;
      const message = `no generator has delivered for ${patienceMs / 1000} s: ${reasons(all) || "none is known"}`;
      const remedy = "start a generator, or set the trainer's GENERATOR_ADDRESS";
      this.#fail(new SpinError("unavailable", message, { remedy }));
    }
  }
}

function reasons(replicas: readonly Replica[]): string {
  return replicas.map(({ reason }) => reason).join("; ");
}

import type { SpinError } from "../core/errors.js";
import { WorkerClient } from "../core/runtime/worker-client.js";
import { count, observe, watch } from "../core/service/metrics.js";
import type { DataReport } from "../proto/gen/spin/v1/data.js";
import { ComputeQueue, type Place } from "./compute-queue.js";
import type {
  BatchCost,
  CaptionsRequest,
  ComputeMethods,
  DrawsAnswer,
  DrawsRequest,
  PicturesAnswer,
  PicturesRequest,
  WorkerSettings,
} from "./worker-contract.js";

/** The compute worker behind its queue, measured. */
export class Compute {
  readonly queue: ComputeQueue;
  readonly #worker = new WorkerClient<ComputeMethods>(new URL("./compute-worker.js", import.meta.url));
  readonly #unwatch: readonly (() => void)[];
  #loaded: readonly string[] = [];
  #data: readonly DataReport[] = [];

  private constructor(capacity: number) {
    this.queue = new ComputeQueue(capacity);
    const { queue } = this;
    this.#unwatch = [
      watch("spin.generator.queue.length", () => [{ value: queue.waiting }]),
      watch("spin.generator.queue.streams", () => [{ value: queue.streams }]),
      watch("spin.generator.idle", () => [{ value: queue.idleSeconds }]),
    ];
  }

  /** Starts the worker. @throws SpinError `precondition` where the execution provider does not work */
  static async start(settings: WorkerSettings, capacity: number): Promise<Compute> {
    const compute = new Compute(capacity);
    try {
      await compute.#worker.call("configure", settings);
      return compute;
    } catch (error) {
      await compute.stop();
      throw error;
    }
  }

  /** Resolves when the worker ends by itself: nothing can be computed any more. */
  get failed(): Promise<SpinError> {
    return this.#worker.failed;
  }

  /** Digests of the checkpoints in memory, most recently used first. */
  get loaded(): readonly string[] {
    return this.#loaded;
  }

  /** What became of the rows of the data sets opened so far. */
  get data(): readonly DataReport[] {
    return this.#data;
  }

  /** Looks captions up. Throws as the worker does, `cancelled` once the signal is aborted. */
  captions(place: Place, request: CaptionsRequest, signal: AbortSignal): Promise<string[]> {
    return place.run(signal, () => this.#worker.call("captions", request, { signal }));
  }

  /** Computes a batch of draws. Throws as `captions` does. */
  draws(place: Place, request: DrawsRequest, signal: AbortSignal): Promise<DrawsAnswer> {
    const { numSamples } = request.stamp;
    return place.run(signal, () =>
      this.#measured("draws", numSamples, this.#worker.call("draws", request, { signal })),
    );
  }

  /** Computes a batch of pictures. Throws as `captions` does. */
  pictures(place: Place, request: PicturesRequest, signal: AbortSignal): Promise<PicturesAnswer> {
    const samples = request.job.items.length;
    return place.run(signal, () =>
      this.#measured("pictures", samples, this.#worker.call("pictures", request, { signal })),
    );
  }

  /** Ends the worker after the run at hand. */
  async stop(): Promise<void> {
    for (const end of this.#unwatch) end();
    await this.#worker.stop();
  }

  async #measured<T extends { readonly cost: BatchCost }>(
    kind: "draws" | "pictures",
    samples: number,
    answer: Promise<T>,
  ): Promise<T> {
    const result = await answer;
    const { seconds, unetEvaluations, encodings, loaded, data } = result.cost;
    this.#loaded = loaded;
    this.#data = data;
    const of = { kind };
    count("spin.generator.batches", 1, of);
    count("spin.generator.samples", samples, of);
    count("spin.generator.unet.evaluations", unetEvaluations, of);
    observe("spin.generator.batch.duration", seconds, of);
    count("spin.generator.encodings", encodings.hits, { cached: true });
    count("spin.generator.encodings", encodings.misses, { cached: false });
    return result;
  }
}

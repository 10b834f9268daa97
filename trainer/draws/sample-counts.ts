import { metrics } from "@opentelemetry/api";
import { METER } from "../../core/service/tracing.js";

/** What became of the samples that generators delivered: generated = trained + refused + pending at every moment. */
export class SampleCounts {
  /** Delivered by generators. */
  generated = 0;
  /** Handed out, in order, each once. */
  trained = 0;
  /** Not what they should have been, or not wanted any more. */
  refused = 0;
  /** Here, and not handed out yet. */
  pending = 0;

  arrive(count: number): void {
    this.generated += count;
    this.pending += count;
    const meter = metrics.getMeter(METER);
    meter.createCounter("spin.trainer.samples.generated", { unit: "{sample}" }).add(count);
    meter.createUpDownCounter("spin.trainer.samples.pending", { unit: "{sample}" }).add(count);
  }

  train(count: number): void {
    this.trained += count;
    this.#leave("trained", count);
  }

  refuse(count: number): void {
    this.refused += count;
    this.#leave("refused", count);
  }

  #leave(as: "trained" | "refused", count: number): void {
    this.pending -= count;
    const meter = metrics.getMeter(METER);
    meter.createCounter(`spin.trainer.samples.${as}`, { unit: "{sample}" }).add(count);
    meter.createUpDownCounter("spin.trainer.samples.pending", { unit: "{sample}" }).add(-count);
  }
}

import { count, move } from "../../core/service/metrics.js";

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

  arrive(amount: number): void {
    this.generated += amount;
    this.pending += amount;
    count("spin.trainer.samples.generated", amount);
    count("spin.trainer.samples.refused", 0); // There before the first one is.
    move("spin.trainer.samples.pending", amount);
  }

  train(amount: number): void {
    this.trained += amount;
    this.pending -= amount;
    count("spin.trainer.samples.trained", amount);
    move("spin.trainer.samples.pending", -amount);
  }

  refuse(amount: number): void {
    this.refused += amount;
    this.pending -= amount;
    count("spin.trainer.samples.refused", amount);
    move("spin.trainer.samples.pending", -amount);
  }
}

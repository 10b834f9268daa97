import { SpinError } from "../errors.js";

/** Factor of the loss to begin with, and how it changes: the defaults of torch.amp.GradScaler. */
const INITIAL = 2 ** 16;
const GROWTH = 2;
const BACKOFF = 0.5;
const GROWTH_INTERVAL = 2000;
/** A gradient that overflows at this factor is no matter of scale. */
const SMALLEST = 2 ** -14;

/**
 * Dynamic loss scaling (Micikevicius et al. 2018, Mixed Precision Training, §3.2): the loss is multiplied so that small gradients do not vanish
 * in float16, and the gradients are divided again. Where they overflow, the update is left out and the factor halved; it doubles after 2,000
 * updates without overflow. A function of the gradients alone, so that equal runs have equal factors.
 */
export class LossScale {
  #factor = INITIAL;
  #sinceChange = 0;
  #skipped = 0;

  /** Of the gradients at hand. */
  get factor(): number {
    return this.#factor;
  }

  /** Updates left out so far. */
  get skipped(): number {
    return this.#skipped;
  }

  /**
   * Notes how the gradients of a step came out.
   * @returns whether they are to be used.
   * @throws SpinError "diverged" where they overflow however small the factor is
   */
  note(gradientNorm: number): boolean {
    if (Number.isFinite(gradientNorm)) {
      this.#sinceChange += 1;
      if (this.#sinceChange === GROWTH_INTERVAL) this.#change(GROWTH);
      return true;
    }
    this.#skipped += 1;
    this.#change(BACKOFF);
    if (this.#factor >= SMALLEST) return false;
    throw new SpinError("diverged", `the gradient overflows float16 at a loss scale of ${this.#factor / BACKOFF}`, {
      remedy: "lower the learning rate or the objective's weight, or train in float32",
    });
  }

  #change(by: number): void {
    this.#factor *= by;
    this.#sinceChange = 0;
  }
}

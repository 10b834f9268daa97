/**
 * Decay of a moving average at its update number k = 1, 2, …, as diffusers' EMAModel warms it up: 0 at the first update, then
 * min(limit, (1 + s)/(10 + s)) with s = k − 1, so that early averages forget the start.
 */
export function emaDecay(limit: number, update: number): number {
  const s = update - 1;
  return s <= 0 ? 0 : Math.min(limit, (1 + s) / (10 + s));
}

/** average ← decay · average + (1 − decay) · values, in place. */
export function updateAverage(average: Float32Array, values: Float32Array, decay: number): void {
  for (let i = 0; i < average.length; i++) average[i] = decay * average[i]! + (1 - decay) * values[i]!;
}

/** Moving averages of named weights, as diffusers' EMAModel keeps them from the weights' first update on. */
export class MovingAverage {
  readonly views: ReadonlyMap<string, Float32Array<ArrayBuffer>>;
  readonly #limit: number;
  /** Updates averaged so far. */
  #updates = 0;

  /** @param limit of the decay, in [0, 1) */
  constructor(weights: ReadonlyMap<string, Float32Array>, limit: number) {
    this.views = new Map([...weights].map(([name, values]) => [name, Float32Array.from(values)]));
    this.#limit = limit;
  }

  /** Takes the weights in after an update. */
  update(weights: ReadonlyMap<string, Float32Array>): void {
    this.#updates += 1;
    const decay = emaDecay(this.#limit, this.#updates);
    for (const [name, average] of this.views) updateAverage(average, weights.get(name)!, decay);
  }
}

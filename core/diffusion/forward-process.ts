import { SpinError } from "../errors.js";

/**
 * x_t = √ᾱ_t x_0 + √(1−ᾱ_t) ε, the forward process at one jump (equation 4 of Ho et al. 2020).
 *
 * @param clean x_0, [B, ...] in one row
 * @param noise ε of the same shape
 * @param abar ᾱ_t per sample, length B
 */
export function addNoise(clean: Float32Array, noise: Float32Array, abar: ArrayLike<number>): Float32Array {
  return combine(clean, noise, abar, (a) => [Math.sqrt(a), Math.sqrt(1 - a)]);
}

/** v = √ᾱ_t ε − √(1−ᾱ_t) x_0, the target of v-prediction (Salimans & Ho 2022). Shapes as in `addNoise`. */
export function velocity(clean: Float32Array, noise: Float32Array, abar: ArrayLike<number>): Float32Array {
  return combine(clean, noise, abar, (a) => [-Math.sqrt(1 - a), Math.sqrt(a)]);
}

/** x = x_0 + σ ε, the forward process scaled to unit signal, in which Euler's method runs. σ per sample, length B. */
export function addNoiseAtSigma(clean: Float32Array, noise: Float32Array, sigma: ArrayLike<number>): Float32Array {
  return combine(clean, noise, sigma, (s) => [1, s]);
}

/** weights[0] · clean + weights[1] · noise, the weights a function of each sample's noise level. */
function combine(
  clean: Float32Array,
  noise: Float32Array,
  levels: ArrayLike<number>,
  weights: (level: number) => readonly [number, number],
): Float32Array {
  const perSample = clean.length / levels.length;
  if (noise.length !== clean.length || !Number.isInteger(perSample)) {
    throw new SpinError(
      "internal",
      `forward process got ${clean.length} clean values, ${noise.length} of noise and ${levels.length} levels`,
    );
  }
  const out = new Float32Array(clean.length);
  for (let b = 0; b < levels.length; b++) {
    const [a, s] = weights(levels[b]!);
    for (let i = b * perSample; i < (b + 1) * perSample; i++) out[i] = a * clean[i]! + s * noise[i]!;
  }
  return out;
}

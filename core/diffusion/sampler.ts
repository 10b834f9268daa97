import { SpinError } from "../errors.js";

/**
 * A sampler walks from noise to an image: for i = 0, 1, … evaluate the model at `timesteps[i]` on
 * `scaleModelInput(sample, i)`, then take `step`. Samples and outputs are [B, C, H, W] in one row; nothing is changed
 * in place.
 */
export interface Sampler {
  /** Where the model is evaluated, noisiest first. Integers but for Euler's method, and PNDM repeats one. */
  readonly timesteps: readonly number[];
  /** Standard deviation that the initial sample is to have. */
  readonly initNoiseSigma: number;
  /** Of samplers that run on noise levels σ = √((1−ᾱ)/ᾱ): one per step, and one where the last step ends. */
  readonly sigmas?: Float32Array;
  /** What the model is to be shown of the sample. */
  scaleModelInput(sample: Float32Array, i: number): Float32Array;
  /** Whether step i adds noise, a standard normal of the sample's shape. */
  needsNoise(i: number): boolean;
  /** The sample one step less noisy. */
  step(modelOutput: Float32Array, i: number, sample: Float32Array, noise?: Float32Array): Float32Array;
}

/** The noise handed to step i, for samplers that need it. */
export function requireNoise(noise: Float32Array | undefined, i: number): Float32Array {
  if (!noise) throw new SpinError("internal", `sampling step ${i} adds noise but was given none`);
  return noise;
}

/** @throws SpinError `invalid` for dynamic thresholding, which is for models on pixels, not latents. */
export function refuseThresholding(thresholding: boolean | undefined): void {
  if (thresholding) {
    throw new SpinError("invalid", "the scheduler asks for dynamic thresholding, which is not supported", {
      field: "thresholding",
      remedy: "set thresholding to false; it suits models on pixels, not on latents",
    });
  }
}

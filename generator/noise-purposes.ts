import { createPhiloxStream, type PhiloxStream } from "../core/diffusion/philox.js";

/**
 * What a sample's random numbers are for: the third word of Philox's counter, so that each use has a stream of its own.
 * The numbers are part of what a sampling job means: another number, another draw.
 */
export const PURPOSE = {
  /** Order of the data set in a pass; the index is the pass. */
  datasetOrder: 0,
  /** Whether the caption is replaced by the empty prompt. */
  promptDropout: 1,
  /** Timesteps of the draws. */
  timesteps: 2,
  /** Where the square is cut: x, then y. */
  crop: 3,
  cropOther: 4,
  /** Whether the picture is mirrored. */
  flip: 5,
  flipOther: 6,
  /** The draw from the VAE's posterior. */
  latents: 7,
  latentsOther: 8,
  /** x_T of the real trajectory, as noise. */
  realStart: 9,
  /** x'_T of the synthetic trajectory. */
  syntheticStart: 10,
  /** z of step 0 (the noisiest), 1, … of the real trajectory: this number and the following. */
  realStep: 0x10000,
  /** The same of the synthetic trajectory. */
  syntheticStep: 0x20000,
  /** ε of draw 0, 1, … where both sides are noised alike. From 0x40000 on the numbers are the trainer's. */
  draw: 0x30000,
} as const;

/** Which job's random numbers. */
export interface NoiseKey {
  readonly seed: bigint;
  /** Number of the iteration. */
  readonly iteration: number;
}

/** The random numbers of sample `index` for a purpose. */
export function noiseStream({ seed, iteration }: NoiseKey, index: number, purpose: number): PhiloxStream {
  return createPhiloxStream(seed, { iteration, index, purpose });
}

/** Standard normals of consecutive samples for a purpose, [numSamples, size] in one row. */
export function batchNormals(
  key: NoiseKey,
  firstIndex: number,
  numSamples: number,
  size: number,
  purpose: number,
): Float32Array {
  const all = new Float32Array(numSamples * size);
  for (let i = 0; i < numSamples; i++) {
    all.set(noiseStream(key, firstIndex + i, purpose).normals(size), i * size);
  }
  return all;
}

import { type Features, unitRows } from "./features.js";
import { bootstrapMmd, type KernelMatrices, kernelMatrices, type ResamplingUnits, squaredMmd } from "./mmd.js";

/** Width of the Gaussian kernel and factor that makes the values readable, as published with CMMD. */
const SIGMA = 10;
const SCALE = 1000;

/**
 * CMMD's kernel exp(−‖x−y‖² / 2σ²) over both sets (Jayasumana et al. 2024, "Rethinking FID").
 * @param x embeddings [m, d], brought to unit length here.
 * @param y embeddings [n, d], likewise.
 */
export async function gaussianKernels(x: Features, y: Features, sigma = SIGMA): Promise<KernelMatrices> {
  const gamma = 1 / (2 * sigma ** 2);
  // ‖x−y‖² = 2 − 2 x·y for unit vectors.
  return await kernelMatrices(unitRows(x), unitRows(y), (product) => Math.exp(-gamma * (2 - 2 * product)));
}

/** CLIP Maximum Mean Discrepancy: biased MMD², diagonals kept, × 1000. Takes `gaussianKernels`. */
export function cmmd(kernels: KernelMatrices, scale = SCALE): number {
  return scale * squaredMmd(kernels, "biased");
}

/** CMMD of every resample, see `bootstrapMmd`; `percentileInterval` of it is CMMD's interval. */
export async function bootstrapCmmd(
  kernels: KernelMatrices,
  units: ResamplingUnits,
  resamples: readonly Int32Array[],
): Promise<Float64Array> {
  return (await bootstrapMmd(kernels, units, resamples, "biased")).map((value) => SCALE * value);
}

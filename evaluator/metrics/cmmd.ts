import { type Features, unitRows } from "./features.js";
import { kernelMatrices } from "./kernel-matrices.js";
import { mean } from "./summary.js";

/** Width of the Gaussian kernel and factor that makes the values readable, as published with CMMD. */
const SIGMA = 10;
const SCALE = 1000;

/**
 * CLIP Maximum Mean Discrepancy (Jayasumana et al. 2024, "Rethinking FID"): biased MMD² with a Gaussian kernel
 * exp(−‖x−y‖² / 2σ²) over embeddings of unit length, diagonals kept, × 1000. Never negative but for rounding.
 * @param x embeddings [m, d], brought to unit length here.
 * @param y embeddings [n, d], likewise.
 */
export async function cmmd(x: Features, y: Features, sigma = SIGMA, scale = SCALE): Promise<number> {
  const gamma = 1 / (2 * sigma ** 2);
  // ‖x−y‖² = 2 − 2 x·y for unit vectors.
  const kernels = await kernelMatrices(unitRows(x), unitRows(y), (product) => Math.exp(-gamma * (2 - 2 * product)));
  return scale * (mean(kernels.xx) + mean(kernels.yy) - 2 * mean(kernels.xy));
}

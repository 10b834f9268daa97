/**
 * Classifier-free guidance: uncond + w (cond − uncond), equation 6 of Ho & Salimans 2022 in diffusers' convention, in
 * which w = 1 leaves the conditional prediction as it is.
 *
 * @param uncond model output for the empty or negative prompt, any shape
 * @param cond model output for the prompt, the same shape
 */
export function guide(uncond: Float32Array, cond: Float32Array, guidanceScale: number): Float32Array {
  return uncond.map((u, i) => u + guidanceScale * (cond[i]! - u));
}

/**
 * Guided predictions with their deviation led back to that of the conditional ones, which strong guidance exceeds: section 3.4 of
 * Lin et al. 2023 (arXiv 2305.08891). Deviations are of each sample, unbiased, as torch.std computes them.
 *
 * @param guided [B, ...], as {@link guide} gives it
 * @param cond model output for the prompt, the same shape
 * @param share φ, 0 for the guided prediction as it is, 1 for the conditional one's deviation
 */
export function rescaleGuided(guided: Float32Array, cond: Float32Array, share: number, batch: number): Float32Array {
  const size = guided.length / batch;
  const result = new Float32Array(guided.length);
  for (let b = 0; b < batch; b++) {
    const row = guided.subarray(b * size, (b + 1) * size);
    const factor = deviation(cond.subarray(b * size, (b + 1) * size)) / deviation(row);
    result.set(
      row.map((x) => share * x * factor + (1 - share) * x),
      b * size,
    );
  }
  return result;
}

function deviation(values: Float32Array): number {
  let [sum, squares] = [0, 0];
  for (const value of values) sum += value;
  const mean = sum / values.length;
  for (const value of values) squares += (value - mean) ** 2;
  return Math.sqrt(squares / (values.length - 1));
}

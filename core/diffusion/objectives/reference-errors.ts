/**
 * e_k of each sample, the mean over C, H, W of (target − prediction of θ_k)²: what the trainer is given in place of θ_k. Summed in
 * double precision.
 *
 * @param target ε* or v*, [B, C, H, W]
 * @param prediction θ_k's output without guidance, [B, C, H, W]
 * @returns [B]
 */
export function referenceErrors(target: Float32Array, prediction: Float32Array, batch: number): Float32Array {
  const size = target.length / batch;
  return Float32Array.from({ length: batch }, (_, b) => {
    let sum = 0;
    for (let i = b * size; i < (b + 1) * size; i++) sum += (target[i]! - prediction[i]!) ** 2;
    return sum / size;
  });
}

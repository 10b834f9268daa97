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

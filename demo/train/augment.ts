import type { PhiloxStream } from "../../core/diffusion/philox.js";

/** Farthest shift in either direction, in pixels. */
const MAX_SHIFT = 4;

/**
 * A picture as a scorer might meet it: moved by some pixels, a little brighter or darker, stronger or weaker in
 * contrast. Never mirrored or turned, which would make captions wrong.
 *
 * @param image [3, size, size] in [−1, 1] on white, which also fills what the shift uncovers.
 */
export function augment(image: Float32Array, size: number, stream: PhiloxStream): Float32Array {
  const dx = stream.integer(2 * MAX_SHIFT + 1) - MAX_SHIFT;
  const dy = stream.integer(2 * MAX_SHIFT + 1) - MAX_SHIFT;
  const contrast = 0.85 + 0.3 * stream.uniform();
  const brightness = 0.2 * stream.uniform() - 0.1;
  const out = new Float32Array(image.length).fill(clamp(contrast + brightness));
  for (let channel = 0; channel < 3; channel++) {
    for (let y = Math.max(0, -dy); y < Math.min(size, size - dy); y++) {
      const to = (channel * size + y) * size;
      const from = to + dy * size + dx;
      for (let x = Math.max(0, -dx); x < Math.min(size, size - dx); x++) {
        out[to + x] = clamp(image[from + x]! * contrast + brightness);
      }
    }
  }
  return out;
}

function clamp(value: number): number {
  return Math.max(-1, Math.min(1, value));
}

import { type RgbImage, toTensor } from "../../core/data/image.js";
import { resizeLikePillow } from "../../core/data/resize.js";
import { clipPixels } from "../../core/models/clip/pixels.js";

/**
 * A picture as a CLIPModel takes it, by transformers' CLIPImageProcessor: shorter side to `size` (Pillow's bicubic), a
 * square out of the middle, normalised. A picture of that size keeps every bit.
 *
 * @returns [3, size, size]
 */
export function fitPicture(image: RgbImage, size: number): Float32Array {
  const shorter = Math.min(image.width, image.height);
  const [width, height] = [image.width, image.height].map((side) => Math.floor((side * size) / shorter));
  return clipPixels(toTensor(centre(resizeLikePillow(image, width!, height!, "bicubic"), size)));
}

function centre(image: RgbImage, size: number): RgbImage {
  const left = Math.floor((image.width - size) / 2);
  const top = Math.floor((image.height - size) / 2);
  const data = new Uint8Array(3 * size * size);
  for (let y = 0; y < size; y++) {
    const start = 3 * ((top + y) * image.width + left);
    data.set(image.data.subarray(start, start + 3 * size), 3 * y * size);
  }
  return { width: size, height: size, data };
}

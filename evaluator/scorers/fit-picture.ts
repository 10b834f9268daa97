import { type RgbImage, toTensor } from "../../core/data/image.js";
import { middle } from "../../core/data/prepare-image.js";
import { resizeLikePillow } from "../../core/data/resize.js";
import { resizeTensorBicubic } from "../../core/data/resize-tensor.js";
import { clipPixels } from "../../core/models/clip/pixels.js";

/**
 * How a scorer's own code brings pictures to its size. All resize the shorter side, bicubic, cut the middle square and normalise with CLIP's
 * mean and deviation; they differ in the rest:
 * - `transformers`: CLIPImageProcessor. Pillow's resizing; of an odd rest the smaller half is cut off at the left and top.
 * - `torchvision`: Resize and CenterCrop on a Pillow picture. Pillow's resizing; half pixels go to the even number.
 * - `tensor`: the same on a tensor with antialiasing, the default of torchvision 0.17 and later. Nothing is rounded to 8 bits.
 * - `tensor-plain`: the same without antialiasing, the default before.
 */
export type PictureFit = "transformers" | "torchvision" | "tensor" | "tensor-plain";

/**
 * A picture as a scorer takes it. A picture of that size keeps every bit.
 *
 * @returns [3, size, size]
 */
export function fitPicture(image: RgbImage, size: number, fit: PictureFit = "transformers"): Float32Array {
  const shorter = Math.min(image.width, image.height);
  const [width, height] = [image.width, image.height].map((side) => Math.floor((side * size) / shorter)) as [
    number,
    number,
  ];
  if (fit === "tensor" || fit === "tensor-plain") {
    const resized = resizeTensorBicubic(image, width, height, fit === "tensor");
    const [left, top] = [middle(width - size), middle(height - size)];
    return clipPixels(cutTensor(resized, width, height, size, left, top).map((value) => 2 * value - 1));
  }
  const half = fit === "torchvision" ? middle : (spare: number) => Math.floor(spare / 2);
  const resized = resizeLikePillow(image, width, height, "bicubic");
  return clipPixels(toTensor(cut(resized, size, half(width - size), half(height - size))));
}

function cut(image: RgbImage, size: number, left: number, top: number): RgbImage {
  const data = new Uint8Array(3 * size * size);
  for (let y = 0; y < size; y++) {
    const start = 3 * ((top + y) * image.width + left);
    data.set(image.data.subarray(start, start + 3 * size), 3 * y * size);
  }
  return { width: size, height: size, data };
}

/** The same of a picture [3, height, width]. */
function cutTensor(
  tensor: Float32Array,
  width: number,
  height: number,
  size: number,
  left: number,
  top: number,
): Float32Array {
  const out = new Float32Array(3 * size * size);
  for (let channel = 0; channel < 3; channel++) {
    for (let y = 0; y < size; y++) {
      const start = (channel * height + top + y) * width + left;
      out.set(tensor.subarray(start, start + size), (channel * size + y) * size);
    }
  }
  return out;
}

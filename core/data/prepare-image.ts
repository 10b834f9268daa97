import type { RgbImage } from "./image.js";
import { resizeLikePillow } from "./resize.js";

/** How a square is made of a picture. */
export interface ImagePlacement {
  /** Side of the square, in pixels. */
  readonly resolution: number;
  /** Where it is cut: each coordinate from 0 (left, top) to less than 1 (right, bottom), or in the middle. */
  readonly crop: "center" | { readonly x: number; readonly y: number };
  /** Whether left and right are exchanged. */
  readonly flip: boolean;
}

/** Extents of a picture, in pixels. */
export type PictureSize = Pick<RgbImage, "height" | "width">;

/**
 * A training picture as Diffusion-DPO prepares it: the shorter side resized to the resolution (Pillow's bilinear filter, to the bit), a
 * square cut out, perhaps mirrored. Blocks while it computes.
 */
export function prepareImage(image: RgbImage, placement: ImagePlacement): RgbImage {
  const { resolution, flip } = placement;
  const { width, height } = resizedSize(image, resolution);
  const resized = resizeLikePillow(image, width, height, "bilinear");
  const { top, left } = cutCorner(resized, placement);
  if (resized.width === resolution && resized.height === resolution && !flip) return resized;
  const data = new Uint8Array(3 * resolution * resolution);
  for (let row = 0; row < resolution; row++) {
    for (let column = 0; column < resolution; column++) {
      const source = 3 * ((top + row) * resized.width + left + (flip ? resolution - 1 - column : column));
      const target = 3 * (row * resolution + column);
      data[target] = resized.data[source]!;
      data[target + 1] = resized.data[source + 1]!;
      data[target + 2] = resized.data[source + 2]!;
    }
  }
  return { width: resolution, height: resolution, data };
}

/** Top and left of the square within the resized picture, as {@link prepareImage} leaves it: mirrored where it is. */
export function cropCorner(original: PictureSize, placement: ImagePlacement): { top: number; left: number } {
  const resized = resizedSize(original, placement.resolution);
  const { top, left } = cutCorner(resized, placement);
  return { top, left: placement.flip ? resized.width - placement.resolution - left : left };
}

function cutCorner(resized: PictureSize, { resolution, crop }: ImagePlacement): { top: number; left: number } {
  const spareX = resized.width - resolution;
  const spareY = resized.height - resolution;
  // Of n + 1 places each has its share of the coordinate.
  const left = crop === "center" ? middle(spareX) : Math.floor(crop.x * (spareX + 1));
  const top = crop === "center" ? middle(spareY) : Math.floor(crop.y * (spareY + 1));
  return { top, left };
}

/** In whole numbers, as torchvision's Resize: 3 × 5 to 2 is 2 × 3. */
function resizedSize({ width, height }: PictureSize, side: number): PictureSize {
  const shorter = Math.min(width, height);
  return { width: Math.floor((width * side) / shorter), height: Math.floor((height * side) / shorter) };
}

/** Half of it; halves go to the even number, as in torchvision's CenterCrop. */
export function middle(spare: number): number {
  const half = Math.floor(spare / 2);
  return spare % 2 === 0 ? half : half + (half % 2);
}

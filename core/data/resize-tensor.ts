import type { RgbImage } from "./image.js";

/** What one output element is made of. */
interface Taps {
  readonly indices: Int32Array;
  readonly weights: Float64Array;
}

/**
 * Bicubic resizing of a float picture as torch's interpolate does it, which torchvision uses where a picture was made a tensor first:
 * nothing is rounded to 8 bits or clamped.
 *
 * @param antialias whether the filter (Keys 1981 with a = −½) widens with the reduction; without, four neighbours with a = −¾.
 * @returns [3, height, width], 0 black, 1 white, beyond them at edges
 */
export function resizeTensorBicubic(image: RgbImage, width: number, height: number, antialias: boolean): Float32Array {
  const tapsOf = antialias ? antialiasedTaps : plainTaps;
  const columns = width === image.width ? undefined : tapsOf(image.width, width);
  const rows = height === image.height ? undefined : tapsOf(image.height, height);
  const out = new Float32Array(3 * width * height);
  const wide = new Float32Array(image.height * width);
  for (let channel = 0; channel < 3; channel++) {
    for (let y = 0; y < image.height; y++) {
      const at = (x: number) => image.data[3 * (y * image.width + x) + channel]! / 255;
      for (let x = 0; x < width; x++) wide[y * width + x] = columns === undefined ? at(x) : weigh(columns[x]!, at);
    }
    for (let x = 0; x < width; x++) {
      const at = (y: number) => wide[y * width + x]!;
      for (let y = 0; y < height; y++) {
        out[(channel * height + y) * width + x] = rows === undefined ? at(y) : weigh(rows[y]!, at);
      }
    }
  }
  return out;
}

function weigh({ indices, weights }: Taps, at: (index: number) => number): number {
  let sum = 0;
  for (let k = 0; k < weights.length; k++) sum += weights[k]! * at(indices[k]!);
  return sum;
}

/** Keys' cubic convolution. */
function cubic(x: number, a: number): number {
  const t = Math.abs(x);
  if (t < 1) return ((a + 2) * t - (a + 3)) * t * t + 1;
  return t < 2 ? (((t - 5) * t + 8) * t - 4) * a : 0;
}

/** torch's _upsample_bicubic2d_aa (UpSampleKernel.cpp). */
function antialiasedTaps(from: number, to: number): Taps[] {
  const scale = from / to;
  const widening = Math.max(1, scale);
  const support = 2 * widening;
  return Array.from({ length: to }, (_, i) => {
    const center = scale * (i + 0.5);
    const first = Math.max(0, Math.trunc(center - support + 0.5));
    const end = Math.min(from, Math.trunc(center + support + 0.5));
    const indices = Int32Array.from({ length: end - first }, (_, k) => first + k);
    const weights = Float64Array.from(indices, (index) => cubic((index - center + 0.5) / widening, -0.5));
    const sum = weights.reduce((total, weight) => total + weight, 0);
    return { indices, weights: weights.map((weight) => weight / sum) };
  });
}

/** torch's upsample_bicubic2d without align_corners: neighbours beyond the edge are the edge's. */
function plainTaps(from: number, to: number): Taps[] {
  const scale = from / to;
  return Array.from({ length: to }, (_, i) => {
    const center = scale * (i + 0.5) - 0.5;
    const first = Math.floor(center) - 1;
    const indices = Int32Array.from({ length: 4 }, (_, k) => Math.min(from - 1, Math.max(0, first + k)));
    const weights = Float64Array.from({ length: 4 }, (_, k) => cubic(first + k - center, -0.75));
    return { indices, weights };
  });
}

import sharp from "sharp";
import { SpinError } from "../errors.js";

/** An 8-bit sRGB picture without alpha: `data` is [height, width, 3], row by row. */
export interface RgbImage {
  readonly width: number;
  readonly height: number;
  readonly data: Uint8Array;
}

/** Where a float picture's black and white lie: a VAE's −1 and 1, or 0 and 1. */
export type PixelRange = "signed" | "unit";

/** Pictures larger than this are refused before they are decoded (a few kilobytes can claim gigapixels). */
const MAX_PIXELS = 8192 * 8192;

/** The picture as a VAE takes it: [3, height, width], −1 black, 1 white. */
export function toTensor({ width, height, data }: RgbImage): Float32Array {
  const plane = width * height;
  const tensor = new Float32Array(3 * plane);
  for (let pixel = 0; pixel < plane; pixel++) {
    for (let channel = 0; channel < 3; channel++) {
      tensor[channel * plane + pixel] = (data[3 * pixel + channel] as number) / 127.5 - 1;
    }
  }
  return tensor;
}

/**
 * The picture in a float tensor [3, height, width], as diffusers' VaeImageProcessor does it: clamped to the range, scaled
 * to 255, rounded.
 * @throws SpinError `invalid` where the tensor has another number of elements, or one that is not a number.
 */
export function fromTensor(
  tensor: Float32Array,
  width: number,
  height: number,
  range: PixelRange = "signed",
): RgbImage {
  const plane = width * height;
  if (tensor.length !== 3 * plane) {
    throw new SpinError(
      "invalid",
      `a picture [3, ${height}, ${width}] has ${3 * plane} elements, not ${tensor.length}`,
    );
  }
  const [scale, offset] = range === "signed" ? [127.5, 127.5] : [255, 0];
  const data = new Uint8Array(3 * plane);
  for (let pixel = 0; pixel < plane; pixel++) {
    for (let channel = 0; channel < 3; channel++) {
      const value = tensor[channel * plane + pixel] as number;
      if (Number.isNaN(value)) {
        throw new SpinError("invalid", `a picture's value is not a number (channel ${channel}, pixel ${pixel})`, {
          remedy: "the model that drew it has diverged: use an earlier checkpoint",
        });
      }
      data[3 * pixel + channel] = Math.min(255, Math.max(0, Math.round(value * scale + offset)));
    }
  }
  return { width, height, data };
}

/** A PNG or a lossless WebP file: pictures that are scored keep every bit. */
export async function encodeImage(
  { width, height, data }: RgbImage,
  format: "png" | "webp" = "png",
): Promise<Uint8Array> {
  const image = sharp(data, { raw: { width, height, channels: 3 } });
  return (format === "png" ? image.png() : image.webp({ lossless: true })).toBuffer();
}

/** A damaged file is refused, one that a decoder merely complains of is not: as Pillow does. */
const READING = { limitInputPixels: MAX_PIXELS, failOn: "error" } as const;

/**
 * Reads PNG, JPEG, WebP and whatever else sharp reads: turned as its EXIF data say, in sRGB. Transparency is dropped, as Pillow's
 * `convert("RGB")` drops it, behind which the published models were trained: what shows is the colour that the file has there.
 * @param source what the bytes are, as a file and its row, for the error
 * @throws SpinError `corrupt` where the bytes are not a picture, or one of more than 67 million pixels.
 */
export async function decodeImage(bytes: Uint8Array, source = `${bytes.length} bytes`): Promise<RgbImage> {
  try {
    const { data, info } = await sharp(bytes, READING)
      .autoOrient()
      .toColourspace("srgb")
      .removeAlpha()
      .raw()
      .toBuffer({ resolveWithObject: true });
    return { width: info.width, height: info.height, data };
  } catch (cause) {
    throw new SpinError("corrupt", `${source}: not a readable picture (${reasonOf(cause)})`, {
      file: source,
      cause,
      remedy: "replace the picture, or take the row out",
    });
  }
}

/** Why bytes cannot be decoded; undefined where they can. Cheaper than decoding: a JPEG is not computed at its full size. */
export async function pictureProblem(bytes: Uint8Array): Promise<string | undefined> {
  try {
    await sharp(bytes, READING).resize(8, 8, { fit: "fill", kernel: "nearest" }).raw().toBuffer();
    return undefined;
  } catch (cause) {
    return `not a readable picture (${reasonOf(cause)})`;
  }
}

/** libvips tells of several lines. */
function reasonOf(cause: unknown): string {
  return (cause as Error).message
    .trim()
    .split(/\s*\n\s*/)
    .join("; ");
}

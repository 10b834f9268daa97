import type { TextTimeConfig } from "../models/unet/config.js";
import { type FloatTensor, joinRows } from "./float-tensor.js";

/** What prompts say to a UNet, N of them. */
export interface TextConditions {
  /** Text states, [N, L, X]. */
  readonly states: FloatTensor;
  /** SDXL: pooled and projected text, [N, P]. */
  readonly textEmbeds?: FloatTensor;
}

/** All that a UNet is given beside latents and timesteps, one row per sample. */
export interface UnetConditions extends TextConditions {
  /** SDXL: original height and width, top and left of the crop, target height and width, in pixels, [N, 6]. */
  readonly timeIds?: FloatTensor;
}

/** Classifier-free guidance: what it leads away from, and how far. */
export interface Guidance extends UnetConditions {
  /** w, 1 for none. */
  readonly scale: number;
  /** Share of the way back to the conditional prediction's deviation (arXiv 2305.08891, §3.4), 0 to 1; 0 where not said. */
  readonly rescale?: number;
}

/** What a picture is conditioned on. */
export interface Conditions extends UnetConditions {
  readonly guidance?: Guidance;
}

/** Where a picture for SDXL comes from, in pixels. */
export interface PictureGeometry {
  /** Height and width before it was resized. */
  readonly originalSize: readonly [number, number];
  /** Top and left of what was cut out of the resized one. */
  readonly cropTopLeft: readonly [number, number];
  /** Height and width that it has now. */
  readonly targetSize: readonly [number, number];
}

/** SDXL's `time_ids` (Podell et al. 2023, arXiv 2307.01952, §2.2), [N, 6]. */
export function timeIds(pictures: readonly PictureGeometry[]): FloatTensor {
  const data = pictures.flatMap(({ originalSize, cropTopLeft, targetSize }) => [
    ...originalSize,
    ...cropTopLeft,
    ...targetSize,
  ]);
  return { shape: [pictures.length, TIME_IDS], data: Float32Array.from(data) };
}

/** Numbers in a row of `time_ids`. */
export const TIME_IDS = 6;

/** Numbers per sample of SDXL's further conditions; undefined for other models. */
export function addedWidths(
  textTime: TextTimeConfig | undefined,
): { readonly textEmbeds: number; readonly timeIds: number } | undefined {
  if (textTime === undefined) return undefined;
  return { textEmbeds: textTime.projectionInputDim - TIME_IDS * textTime.timeEmbedDim, timeIds: TIME_IDS };
}

/** A picture that was never resized nor cut: what diffusers asks for where nothing is said. */
export function wholePicture(height: number, width: number): PictureGeometry {
  return { originalSize: [height, width], cropTopLeft: [0, 0], targetSize: [height, width] };
}

/** The rows of several conditions one behind another; all have the same parts. */
export function joinConditions(parts: readonly UnetConditions[]): UnetConditions {
  return eachPart(parts[0]!, (name) => {
    const all = parts.map((part) => part[name]!);
    return joinRows(
      all.map(({ data }) => data),
      all[0]!.shape.slice(1),
    );
  });
}

/** Some rows of conditions, in the given order. */
export function pickConditions(conditions: UnetConditions, rows: readonly number[]): UnetConditions {
  return eachPart(conditions, (name) => {
    const { shape, data } = conditions[name]!;
    const size = data.length / shape[0]!;
    return joinRows(
      rows.map((row) => data.subarray(row * size, (row + 1) * size)),
      shape.slice(1),
    );
  });
}

/** One row of conditions, `count` times over. */
export function repeatConditions(conditions: UnetConditions, count: number): UnetConditions {
  return joinConditions(Array.from({ length: count }, () => conditions));
}

function eachPart(like: UnetConditions, make: (name: keyof UnetConditions) => FloatTensor): UnetConditions {
  const { textEmbeds, timeIds: ids } = like;
  return {
    states: make("states"),
    ...(textEmbeds && { textEmbeds: make("textEmbeds") }),
    ...(ids && { timeIds: make("timeIds") }),
  };
}

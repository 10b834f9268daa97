import sharp from "sharp";
import type { EvaluationSpec } from "../proto/gen/spin/v1/evaluation.js";
import { REAL_LABEL } from "./requests.js";

/** Prompts whose pictures the report shows. */
const SHOWN_PROMPTS = 24;
/** Larger pictures are shown in this size, in pixels. */
const SHOWN_SIZE = 256;

/** The name of a checkpoint's files: labels may differ in case alone, which not every disk tells apart. */
export function fileName(spec: Pick<EvaluationSpec, "checkpoints">, label: string): string {
  if (label === REAL_LABEL) return REAL_LABEL;
  return `${spec.checkpoints.findIndex((one) => one.label === label)}-${label}`;
}

/** Prompts that the report shows, spread over all. */
export function shownPrompts(numPrompts: number): number[] {
  const count = Math.min(SHOWN_PROMPTS, numPrompts);
  return Array.from({ length: count }, (_, i) => Math.floor((i * numPrompts) / count));
}

/** Seed of the noise that the picture of the prompt at `index` starts from. */
export function pictureSeed(seed: bigint, index: number): bigint {
  return BigInt.asUintN(64, seed + BigInt(index));
}

/** A PNG file for the report: as it is, or made smaller. */
export async function shrunk(png: Uint8Array): Promise<Uint8Array> {
  const { width, height } = await sharp(png).metadata();
  if (width <= SHOWN_SIZE && height <= SHOWN_SIZE) return png;
  return sharp(png).resize(SHOWN_SIZE, SHOWN_SIZE, { fit: "inside" }).png().toBuffer();
}

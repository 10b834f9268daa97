import { readFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { decodeImage, toTensor } from "../../../core/data/image.js";
import { prepareImage } from "../../../core/data/prepare-image.js";
import { fitPicture } from "../../../evaluator/scorers/fit-picture.js";
import type { CaseTensor, ReferenceCase } from "../cases.js";
import type { CaseResult } from "../judge.js";

interface PreprocessParameters {
  readonly clip_side: number;
  readonly train_side: number;
  readonly files: readonly string[];
}

/** Decoding, and what follows it starting from this project's own pixels. */
export async function run(reference: ReferenceCase): Promise<CaseResult> {
  const { clip_side: clip, train_side: train, files } = reference.parameters as unknown as PreprocessParameters;
  const tensors: Record<string, CaseTensor> = {};
  for (const file of files) {
    const name = basename(file);
    const image = await decodeImage(await readFile(join(reference.folder, file)));
    tensors[`out.pixels.${name}`] = { shape: [image.height, image.width, 3], data: image.data };
    const square = prepareImage(image, { resolution: train, crop: "center", flip: false });
    tensors[`out.train.${name}`] = { shape: [3, train, train], data: toTensor(square) };
    tensors[`out.clip.${name}`] = { shape: [3, clip, clip], data: fitPicture(image, clip) };
  }
  return { tensors };
}

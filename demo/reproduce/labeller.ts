import { join } from "node:path";
import type { Dataset, Split } from "../../core/data/dataset.js";
import { openDataset } from "../../core/data/open-dataset.js";
import { loadPictures, type Pictures } from "../train/pictures.js";
import { trainScorer } from "../train/scorer.js";
import type { Budget } from "./settings.js";

/** Another than that of the evaluator's scorer (scorer-main.ts). */
const SEED = 271828n;

/**
 * Trains the scorer that labels DPO's pairs, apart from the evaluator's: another seed, half its width and depth, and every
 * other training caption alone.
 */
export async function trainLabeller(
  { labeller: steps, labellerCaptions }: Pick<Budget, "labeller" | "labellerCaptions">,
  folder: string,
  work: string,
): Promise<void> {
  const part = async (split: Split) => {
    const all = await openDataset("emoji/mixed", split);
    // Two pictures a caption.
    return loadPictures(labellerCaptions === 0 ? all : firstOf(all, 2 * labellerCaptions));
  };
  const parts = {
    train: everyOther(await part("train")),
    validation: await part("validation"),
    test: await part("test"),
  };
  const stage = (name: string, count: number, learningRate: number) => ({
    name,
    steps: count,
    learningRate,
    warmupSteps: Math.min(20, Math.ceil(count / 10)),
    emaDecay: 0.99,
    validateEvery: Math.max(1, Math.ceil(count / 4)),
    log: join(work, "labeller.jsonl"),
    resume: join(work, `${name}.safetensors`),
  });
  const stages = {
    contrastive: stage("labeller-contrastive", steps[0], 1e-3),
    preference: stage("labeller-preference", steps[1], 3e-4),
  };
  await trainScorer(parts, SEED, stages, folder, { width: 64, layers: 2, textLayers: 1 });
}

/** Every other caption with both of its pictures: 2i winner, 2i + 1 other. */
function everyOther({ captions, images, digest }: Pictures): Pictures {
  const isKept = (_: unknown, i: number) => (i >> 1) % 2 === 0;
  return { captions: captions.filter(isKept), images: images.filter(isKept), digest };
}

/** The first items of a data set. */
function firstOf(dataset: Dataset, size: number): Pick<Dataset, "size" | "item" | "digest"> {
  return { size: Math.min(size, dataset.size), item: (index) => dataset.item(index), digest: dataset.digest };
}

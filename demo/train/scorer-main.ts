import type { Split } from "../../core/data/dataset.js";
import { openDataset } from "../../core/data/open-dataset.js";
import { loadPictures } from "./pictures.js";
import { trainScorer } from "./scorer.js";

const SEED = 20241210n;
const RUNS = "runs/base";
/** Fewer steps try the pieces out. */
const scale = Number(process.argv[2] ?? 1);

const part = async (split: Split) => loadPictures(await openDataset("emoji/mixed", split));
const parts = { train: await part("train"), validation: await part("validation"), test: await part("test") };
const stage = (name: string, steps: number, learningRate: number) => ({
  name,
  steps: Math.round(steps * scale),
  learningRate,
  warmupSteps: Math.round(50 * scale),
  emaDecay: 0.99,
  validateEvery: 50,
  log: `${RUNS}/scorer.jsonl`,
  resume: `${RUNS}/${name}.safetensors`,
});
await trainScorer(
  parts,
  SEED,
  { contrastive: stage("scorer-contrastive", 1300, 1e-3), preference: stage("scorer-preference", 200, 3e-4) },
  "demo/scorer",
);

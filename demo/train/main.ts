import { openDataset } from "../../core/data/open-dataset.js";
import { cutVocabulary, writeClipTokenizer } from "../../core/models/clip/cut-vocabulary.js";
import { loadClipTokenizer } from "../../core/models/clip/tokenizer.js";
import { loadPictures } from "./pictures.js";
import { MAX_LENGTH } from "./settings.js";
import { type Encoded, trainTextToImage } from "./text-to-image.js";
import { encodeAll, trainVae } from "./vae.js";
import { writeBase } from "./write-base.js";

const SEED = 20241209n;
const RUNS = "runs/base";

const train = await loadPictures(await openDataset("emoji/train/mixed"));
const held = await loadPictures(await openDataset("emoji/validation/mixed"));
const vae = await trainVae(train, held, SEED, {
  name: "vae",
  steps: 3000,
  learningRate: 2e-3,
  warmupSteps: 100,
  emaDecay: 0.998,
  validateEvery: 200,
  log: `${RUNS}/vae.jsonl`,
  resume: `${RUNS}/vae.safetensors`,
});

const tokenizerFolder = `${RUNS}/tokenizer`;
await writeClipTokenizer(tokenizerFolder, cutVocabulary(train.captions), MAX_LENGTH);
const tokenizer = await loadClipTokenizer(tokenizerFolder);
const trainLatents = await encodeAll(vae, train);
const scalingFactor = 1 / deviation(trainLatents);
const encode = (latents: readonly Float32Array[], captions: readonly string[]): Encoded => ({
  latents: latents.map((row) => row.map((value) => value * scalingFactor)),
  ids: captions.map((caption) => tokenizer.encode(caption)),
});
const weights = await trainTextToImage(
  encode(trainLatents, train.captions),
  encode(await encodeAll(vae, held), held.captions),
  tokenizer.encode(""),
  tokenizer.vocabularySize,
  SEED + 1n,
  {
    name: "text-to-image",
    steps: Number(process.env.BASE_STEPS ?? 12_000),
    learningRate: 1e-3,
    warmupSteps: 200,
    emaDecay: 0.999,
    validateEvery: 250,
    log: `${RUNS}/text-to-image.jsonl`,
    resume: `${RUNS}/text-to-image.safetensors`,
  },
);
await writeBase("demo/base", { vae, textToImage: weights, tokenizer, tokenizerFolder, scalingFactor });

/** Root mean square of all latents: their scale, as the mean is near 0. */
function deviation(latents: readonly Float32Array[]): number {
  let sum = 0;
  for (const row of latents) for (const value of row) sum += value * value;
  return Math.sqrt(sum / (latents.length * latents[0]!.length));
}

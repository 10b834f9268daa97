import { createPhiloxStream } from "../../core/diffusion/philox.js";
import { sizeOf } from "../../core/graph/value.js";
import { parseClipConfig } from "../../core/models/clip/config.js";
import { ADAMW_DEFAULTS } from "../../core/nn/adamw.js";
import { Training } from "../../core/nn/training.js";
import { initialWeights } from "./initial-weights.js";
import { createEmbedder, EXCLUDED, type ScorerLossWeights, scorerObjective } from "./scorer-model.js";

const tower = { hidden_size: 16, intermediate_size: 32, num_attention_heads: 2, num_hidden_layers: 1 };
const config = parseClipConfig(
  {
    projection_dim: 8,
    text_config: { ...tower, vocab_size: 20, max_position_embeddings: 5, eos_token_id: 19 },
    vision_config: { ...tower, image_size: 8, patch_size: 4 },
  },
  "",
);
const BATCH = 4;
const stream = createPhiloxStream(5n, { iteration: 0, index: 0, purpose: 0 });
const pixels = stream.normals(BATCH * 3 * 8 * 8);
/** Captions of one word each. */
const ids = (words: readonly number[]) =>
  BigInt64Array.from(
    words.flatMap((word) => [18, word, 19, 19, 19]),
    BigInt,
  );
const ends = BigInt64Array.from([2n, 2n, 2n, 2n]);
const feeds = (words: readonly number[]) => ({
  pixels,
  ids: ids(words),
  ends,
  same: Float32Array.from(words.flatMap((a, i) => words.map((b, j) => (a === b && i !== j ? EXCLUDED : 0)))),
});
const update = { ...ADAMW_DEFAULTS, learningRate: 3e-3, maxNorm: 1 };
const create = (weights: ScorerLossWeights) =>
  Training.create((p) => scorerObjective(p, config, BATCH, weights), initialWeights(1n), { threads: 1 });
const outputs = async (training: Training, words: readonly number[]) =>
  (await training.step([feeds(words)], { ...update, learningRate: 0 })).outputs[0]!;

const exp = Math.exp;
/** The loss by its formula, from embeddings. */
async function reference(training: Training, words: readonly number[]) {
  const embedder = await createEmbedder(config, BATCH, training.weights.views);
  const [image, text] = [await embedder.images(pixels), await embedder.texts(ids(words), ends)];
  await embedder.release();
  const scale = exp(training.weights.views.get("logit_scale")![0]!);
  const logit = (i: number, j: number) => {
    let cosine = 0;
    for (let k = 0; k < 8; k++) cosine += text[8 * i + k]! * image[8 * j + k]!;
    return scale * cosine;
  };
  const rows = [0, 1, 2, 3];
  const others = (i: number) => rows.filter((j) => j === i || words[j] !== words[i]);
  const mean = (values: number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
  const toImage = rows.map((i) => Math.log(others(i).reduce((sum, j) => sum + exp(logit(i, j)), 0)) - logit(i, i));
  const toText = rows.map((j) => Math.log(others(j).reduce((sum, i) => sum + exp(logit(i, j)), 0)) - logit(j, j));
  const margins = [logit(0, 0) - logit(1, 1), logit(2, 2) - logit(3, 3)];
  const preference = mean(margins.map((m) => 0.95 * Math.log(1 + exp(-m)) + 0.05 * Math.log(1 + exp(m))));
  return { contrastive: (mean(toImage) + mean(toText)) / 2, preference };
}

test("the loss is InfoNCE both ways and the logistic loss of pairs, by their formulas", async () => {
  const training = await create({ contrastive: 0.5, preference: 2 });
  const words = [1, 1, 2, 2];
  const { loss, contrastive, preference } = await outputs(training, words);
  const expected = await reference(training, words);
  expect(contrastive![0]).toBeCloseTo(expected.contrastive, 4);
  expect(preference![0]).toBeCloseTo(expected.preference, 4);
  expect(loss![0]).toBeCloseTo(0.5 * expected.contrastive + 2 * expected.preference, 4);
  await training.release();
});

test("rows of one caption are no negatives of each other", async () => {
  const training = await create({ contrastive: 1, preference: 0 });
  const { contrastive } = await outputs(training, [1, 1, 1, 1]);
  expect(contrastive![0]).toBeCloseTo(0, 5); // Nothing is left to tell apart.
  await training.release();
});

test("training on matching learns to match, and every parameter takes part", async () => {
  const training = await create({ contrastive: 1, preference: 0 });
  const words = [1, 2, 3, 4];
  const before = (await outputs(training, words)).contrastive![0]!;
  for (const [name, shape] of training.shapes) {
    if (sizeOf(shape) > 1 && !/k_proj.bias/.test(name))
      expect([name, norm(training.gradient(name)) > 0]).toEqual([name, true]);
  }
  for (let step = 0; step < 60; step++) await training.step([feeds(words)], update);
  expect((await outputs(training, words)).contrastive![0]!).toBeLessThan(0.2 * before);
  await training.release();
});

test("training on preferences scores winners above losers, but no further than the smoothing allows", async () => {
  const training = await create({ contrastive: 0, preference: 1 });
  const words = [1, 1, 2, 2];
  for (let step = 0; step < 300; step++) await training.step([feeds(words)], update);
  const { preference } = await outputs(training, words);
  // The least that 0.95·softplus(−m) + 0.05·softplus(m) can be: the entropy of 0.05.
  expect(preference![0]).toBeCloseTo(0.1985, 2);
  await training.release();
});

function norm(values: Float32Array): number {
  return Math.sqrt(values.reduce((sum, value) => sum + value * value, 0));
}

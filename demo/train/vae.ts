import { createPhiloxStream } from "../../core/diffusion/philox.js";
import { emitModel } from "../../core/graph/onnx.js";
import * as ops from "../../core/graph/ops/index.js";
import { Session } from "../../core/graph/session.js";
import { parseVaeConfig } from "../../core/models/vae/config.js";
import { vaeDecode, vaeEncode } from "../../core/models/vae/vae.js";
import { Parameters } from "../../core/nn/parameters.js";
import { Training } from "../../core/nn/training.js";
import { batchIndices, PURPOSE } from "./batches.js";
import { initialWeights } from "./initial-weights.js";
import { type LoopOptions, trainStage } from "./loop.js";
import { type Pictures, stack } from "./pictures.js";
import { VAE_CONFIG } from "./settings.js";

const BATCH = 8;
const IMAGE = [3, 64, 64] as const;
const LATENT = [4, 16, 16] as const;
const LATENT_SIZE = 4 * 16 * 16;
/** Weight of the latents' distance from a standard normal: just enough to keep them bounded (Rombach et al. 2022, §G). */
const KL_WEIGHT = 1e-4;

const config = parseVaeConfig(VAE_CONFIG, "demo/train/settings.ts");

/** Trains the autoencoder on pictures; returns its weights under diffusers' names. */
export async function trainVae(train: Pictures, held: Pictures, seed: bigint, options: LoopOptions) {
  const image = ops.input("image", [BATCH, ...IMAGE]);
  const noise = ops.input("noise", [BATCH, ...LATENT]);
  const training = await Training.create((p) => {
    const { mean, logvar } = vaeEncode(p, config, image);
    const latents = ops.add(mean, ops.mul(ops.exp(ops.mul(logvar, 0.5)), noise));
    const error = ops.sub(vaeDecode(p, config, latents), image);
    const reconstruction = ops.mean(ops.sqrt(ops.add(ops.square(error), 1e-4))); // |error|, smooth at 0
    // KL(N(μ, σ²) ‖ N(0, 1)) = ½ (μ² + σ² − 1 − ln σ²)
    const kl = ops.mean(ops.mul(0.5, ops.sub(ops.add(ops.square(mean), ops.exp(logvar)), ops.add(logvar, 1))));
    return { loss: ops.add(reconstruction, ops.mul(kl, KL_WEIGHT)), outputs: { reconstruction, kl } };
  }, initialWeights(seed));

  const batch = (step: number) => {
    const rows = batchIndices(seed, step, BATCH, train.images.length).map((i) => train.images[i]!);
    const stream = createPhiloxStream(seed, { iteration: step, index: 0, purpose: PURPOSE.latent });
    return { image: stack(rows), noise: stream.normals(BATCH * LATENT_SIZE) };
  };
  const weights = await trainStage(
    { training, batch, validate: async (now) => reconstructionError(now, held) },
    options,
  );
  await training.release();
  return weights;
}

/** Mean absolute and root mean square error of pictures through mean latents and back. */
async function reconstructionError(weights: ReadonlyMap<string, Float32Array>, { images }: Pictures) {
  const coder = await createVae(weights);
  let [absolute, squared, count] = [0, 0, 0];
  for (let start = 0; start + BATCH <= images.length; start += BATCH) {
    const original = stack(images.slice(start, start + BATCH));
    const copy = await coder.decode(await coder.encode(original));
    for (const [i, value] of original.entries()) {
      const error = copy[i]! - value;
      absolute += Math.abs(error);
      squared += error * error;
    }
    count += original.length;
  }
  await coder.release();
  return { mae: absolute / count, rmse: Math.sqrt(squared / count) };
}

/** Encoder to mean latents (not scaled) and decoder, in batches. */
export async function createVae(weights: ReadonlyMap<string, Float32Array>) {
  const p = new Parameters();
  const { mean } = vaeEncode(p, config, ops.input("image", [BATCH, ...IMAGE]));
  const encoder = await Session.create(emitModel({ mean }));
  const q = new Parameters();
  const image = vaeDecode(q, config, ops.input("latents", [BATCH, ...LATENT]));
  const decoder = await Session.create(emitModel({ image }));
  const feeds = Object.fromEntries(weights);
  return {
    encode: async (images: Float32Array) => (await encoder.run({ ...feeds, image: images })).mean!,
    decode: async (latents: Float32Array) => (await decoder.run({ ...feeds, latents })).image!,
    release: async () => {
      await encoder.release();
      await decoder.release();
    },
  };
}

/** Mean latents of all pictures, [4, 16, 16] each, not scaled. */
export async function encodeAll(
  weights: ReadonlyMap<string, Float32Array>,
  { images }: Pictures,
): Promise<Float32Array[]> {
  const coder = await createVae(weights);
  const latents: Float32Array[] = [];
  for (let start = 0; start < images.length; start += BATCH) {
    const rows = images.slice(start, start + BATCH);
    const full = [...rows, ...Array.from({ length: BATCH - rows.length }, () => rows[0]!)];
    const encoded = await coder.encode(stack(full));
    for (const i of rows.keys()) latents.push(encoded.slice(i * LATENT_SIZE, (i + 1) * LATENT_SIZE));
  }
  await coder.release();
  return latents;
}

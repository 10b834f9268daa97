import { join } from "node:path";
import { useTemporaryFolder } from "../../test/support/temporary-folder.js";
import { TINY_LATENT, TINY_PROMPT_LENGTH, writeTinyModel } from "../../test/support/tiny-model.js";
import { openModelFolder, requireComponent } from "../checkpoint/model-folder.js";
import { buildObjective } from "../diffusion/objectives/objective.js";
import { createPhiloxStream } from "../diffusion/philox.js";
import { sizeOf } from "../graph/value.js";
import { chooseLoraLayers, createLora, DEFAULT_LORA_TARGETS } from "../models/lora.js";
import { unetParameterShapes } from "../models/parameter-shapes.js";
import { ADAMW_DEFAULTS } from "../nn/adamw.js";
import type { Training, TrainingPrecision } from "../nn/training.js";
import { createUnetTraining } from "./unet-training.js";

const folder = useTemporaryFolder();
const BATCH = 4;
const update = { ...ADAMW_DEFAULTS, learningRate: 1e-3, maxNorm: 1 };

async function create(precision: TrainingPrecision, isLora = false): Promise<Training> {
  const path = join(folder(), "tiny");
  await writeTinyModel(path);
  const network = requireComponent(await openModelFolder(path), "unet");
  const shapes = unetParameterShapes(network.config);
  const layers = chooseLoraLayers(shapes, { rank: 2, alpha: 2, targetModules: DEFAULT_LORA_TARGETS });
  const lora = createLora(
    shapes,
    layers,
    (index) => createPhiloxStream(1n, { iteration: 0, index, purpose: 1 }).uniform,
  );
  const objective = {
    batch: BATCH,
    latent: TINY_LATENT,
    tokens: TINY_PROMPT_LENGTH,
    width: network.config.crossAttentionDim,
  };
  return createUnetTraining(network, (denoise) => buildObjective({ kind: "sft" }, denoise, objective), {
    precision,
    session: { threads: 1 },
    ...(isLora && { lora }),
  });
}

function draws(width: number) {
  const stream = createPhiloxStream(3n, { iteration: 0, index: 0, purpose: 0 });
  const normals = (...shape: number[]) => stream.normals(sizeOf(shape));
  return {
    real_xt: normals(BATCH, ...TINY_LATENT),
    real_target: normals(BATCH, ...TINY_LATENT),
    real_timestep: Float32Array.from({ length: BATCH }, (_, i) => 1 + 250 * i),
    encoder_hidden_states: normals(BATCH, TINY_PROMPT_LENGTH, width),
  };
}

/** Losses of some steps, and what the last update said. */
async function train(training: Training, steps: number) {
  const losses: number[] = [];
  const width = training.shapes.get("down_blocks.0.attentions.0.transformer_blocks.0.attn2.to_k.weight")?.[1] ?? 16;
  let last = {};
  for (let step = 0; step < steps; step++) {
    const { outputs, ...result } = await training.step([draws(width)], update);
    losses.push(outputs[0]!.loss![0]!);
    last = result;
  }
  await training.release();
  return { losses, last, weights: training.weights.data.slice() };
}

describe.each([
  ["all weights", false],
  ["a LoRA", true],
])("training %s in float16", (_, isLora) => {
  test("has losses near float32's over some steps, with float32 weights, and the same bits again", async () => {
    const full = await train(await create("float32", isLora), 6);
    const half = await train(await create("float16", isLora), 6);
    const off = full.losses.map((loss, i) => (half.losses[i]! - loss) / loss);
    const deviation = Math.sqrt(off.reduce((sum, x) => sum + x * x, 0) / off.length);
    expect(deviation).toBeLessThan(2e-3);
    // It is not float32 under another name.
    expect(half.losses).not.toEqual(full.losses);
    expect(full.losses.at(-1)).toBeLessThan(full.losses[0]!);
    expect(half.last).toMatchObject({ lossScale: expect.any(Number), skippedUpdates: expect.any(Number) });
    expect(full.last).not.toHaveProperty("lossScale");
    const again = await train(await create("float16", isLora), 6);
    expect([again.losses, again.weights]).toEqual([half.losses, half.weights]);
  });
});

test("an update whose gradient overflows float16 is left out, and the next is scaled less", async () => {
  const training = await create("float16");
  const before = training.weights.data.slice();
  const large = draws(16);
  const first = await training.step([{ ...large, real_target: large.real_target.map((x) => 1e6 * x) }], update);
  expect(first).toMatchObject({ updateNorm: 0, skippedUpdates: 1 });
  expect(training.weights.data).toEqual(before);
  expect(training.optimizer.steps).toBe(0);
  const second = await training.step([draws(16)], update);
  expect(second.lossScale).toBe(first.lossScale! / 2);
  expect(second.updateNorm).toBeGreaterThan(0);
  await training.release();
});

test("bfloat16 is refused by name where the device has no kernels for it", async () => {
  await expect(create("bfloat16")).rejects.toMatchObject({ kind: "precondition", details: { field: "precision" } });
});

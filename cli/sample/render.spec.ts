import { cp, readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { LORA_FILE, writeLora } from "../../core/checkpoint/lora-file.js";
import { openModelFolder, requireComponent } from "../../core/checkpoint/model-folder.js";
import { fromTensor } from "../../core/data/image.js";
import { createPipelineSampler } from "../../core/diffusion/pipeline-sampler.js";
import { createTorchGenerator } from "../../core/diffusion/torch-generator.js";
import { chooseLoraLayers, createLora, DEFAULT_LORA_TARGETS } from "../../core/models/lora.js";
import { unetParameterShapes } from "../../core/models/parameter-shapes.js";
import { Pipeline } from "../../core/runtime/pipeline.js";
import { useTemporaryFolder } from "../../test/support/temporary-folder.js";
import { TINY_IMAGE_SIZE, TINY_LATENT, writeTinyModel } from "../../test/support/tiny-model.js";
import { writeTinyXlModel } from "../../test/support/tiny-xl-model.js";
import { type RenderSettings, renderPictures } from "./render.js";

const folder = useTemporaryFolder();

let settings: RenderSettings;
beforeEach(async () => {
  const model = join(folder(), "model");
  // As in Stable Diffusion's own files: where it is left out, PNDM begins with Runge–Kutta steps.
  await writeTinyModel(model, { scheduler: { skip_prk_steps: true } });
  settings = {
    model,
    prompt: "a red heart",
    negativePrompt: "blue",
    steps: 3,
    guidance: 3,
    seed: 7n,
    eta: 0,
    count: 2,
  };
});

test("torch's numbers start all pictures, then give the noise of each step", async () => {
  const [first, second] = await renderPictures({ ...settings, eta: 1 });
  const pipeline = await Pipeline.load(settings.model);
  const generator = createTorchGenerator(7);
  const shape = [2, ...TINY_LATENT];
  const size = 512;
  const latents = { shape, data: generator.randn(size) };
  const noise = Array.from({ length: 3 }, () => generator.randn(size));
  const conditions = await pipeline.encodePrompts(["a red heart", "a red heart"]);
  const guidance = { scale: 3, ...(await pipeline.encodePrompts(["blue", "blue"])) };
  const sampler = createPipelineSampler(pipeline.model.scheduler!, { numSteps: 3, eta: 1 });
  const sampled = await pipeline.sample({ latents, ...conditions, guidance, sampler, noise: (i) => noise[i]! });
  const { data } = await pipeline.decode(sampled);
  await pipeline.release();
  const half = data.length / 2;
  expect(first).toEqual(fromTensor(data.subarray(0, half), TINY_IMAGE_SIZE, TINY_IMAGE_SIZE));
  expect(second).toEqual(fromTensor(data.subarray(half), TINY_IMAGE_SIZE, TINY_IMAGE_SIZE));
});

test("seed, prompt, negative prompt, guidance, its rescaling and clip skip all matter", async () => {
  const variants = [
    ...[{}, { seed: 8n }, { prompt: "a square" }, { negativePrompt: "green" }, { guidance: 1 }],
    ...[{ guidanceRescale: 0.7 }, { clipSkip: 1 }],
  ];
  const pictures = await Promise.all(
    variants.map(async (variant) => (await renderPictures({ ...settings, ...variant }))[0]!),
  );
  const different = new Set(pictures.map(({ data }) => Buffer.from(data).toString("base64")));
  expect(different.size).toBe(variants.length);
  expect((await renderPictures(settings))[0]).toEqual(pictures[0]);
});

test.each(["ddim", "pndm", "ddpm", "euler", "dpm"] as const)(
  "the sampler %s can stand in for the model's own",
  async (sampler) => {
    const seen: (readonly number[])[] = [];
    await renderPictures({ ...settings, sampler, steps: 4 }, (...position) => seen.push(position));
    const total = sampler === "pndm" ? 5 : 4;
    expect(seen).toEqual(Array.from({ length: total }, (_, i) => [i + 1, total]));
  },
);

test("a LoRA changes the pictures by as much of it as is asked for", async () => {
  const { config } = requireComponent(await openModelFolder(settings.model), "unet");
  const shapes = unetParameterShapes(config);
  const layers = chooseLoraLayers(shapes, { rank: 2, alpha: 2, targetModules: DEFAULT_LORA_TARGETS });
  const lora = createLora(shapes, layers, () => () => 0.9);
  for (const [name, values] of lora.weights) if (name.endsWith("lora_B.weight")) values.fill(0.5);
  await writeLora(join(folder(), LORA_FILE), lora, shapes);
  const picture = async (scale?: number) => {
    const change = scale === undefined ? {} : { lora: { path: folder(), scale } };
    return (await renderPictures({ ...settings, count: 1, ...change }))[0]!.data;
  };
  const [plain, none, half, whole] = [await picture(), await picture(0), await picture(0.5), await picture(1)];
  expect(none).toEqual(plain);
  const distance = (from: Uint8Array) => from.reduce((sum, value, i) => sum + Math.abs(value - plain[i]!), 0);
  expect(distance(half)).toBeGreaterThan(0);
  expect(distance(whole)).not.toBe(distance(half));
});

test("eta is refused where it means nothing", async () => {
  await expect(renderPictures({ ...settings, sampler: "euler", eta: 0.5 })).rejects.toThrow("only DDIM has one");
});

test("a UNet that does not say its size is refused by name", async () => {
  const model = join(folder(), "sizeless");
  await cp(settings.model, model, { recursive: true });
  const file = join(model, "unet", "config.json");
  const { sample_size: _, ...config } = JSON.parse(await readFile(file, "utf8")) as Record<string, unknown>;
  await writeFile(file, JSON.stringify(config));
  await expect(renderPictures({ ...settings, model })).rejects.toMatchObject({ details: { field: "sample_size" } });
});

describe("an SDXL model", () => {
  test.each([undefined, "ddim", "dpm"] as const)("renders with the sampler %s", async (sampler) => {
    const model = join(folder(), "xl");
    await writeTinyXlModel(model);
    const of = { ...settings, model, sampler, guidance: 8 };
    const render = async (change: Partial<RenderSettings>) => (await renderPictures({ ...of, ...change }))[0]!.data;
    const [picture, none, empty] = [
      await render({}),
      await render({ negativePrompt: undefined }),
      await render({ negativePrompt: "" }),
    ];
    // No negative prompt is not the empty one.
    expect(new Set([picture, none, empty].map((data) => Buffer.from(data).toString("base64"))).size).toBe(3);
  });
});

test("a scheduler of another class can be stood in for, and is named where it cannot", async () => {
  const file = join(settings.model, "model_index.json");
  const index = JSON.parse(await readFile(file, "utf8")) as object;
  await writeFile(file, JSON.stringify({ ...index, scheduler: ["diffusers", "HeunDiscreteScheduler"] }));
  await expect(renderPictures(settings)).rejects.toMatchObject({ details: { field: "_class_name" } });
  expect(await renderPictures({ ...settings, sampler: "ddim" })).toHaveLength(2);
});

test("what a person should know of the folder is told", async () => {
  const weights = (name: string) => join(settings.model, "unet", `diffusion_pytorch_model${name}.safetensors`);
  await rename(weights(""), weights(".fp16"));
  const notes: string[] = [];
  await renderPictures(settings, undefined, (note) => notes.push(note));
  expect(notes).toEqual([expect.stringContaining("variant fp16 alone")]);
});

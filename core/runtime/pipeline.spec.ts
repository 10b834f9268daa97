import { loadCase } from "../../test/reference/cases.js";
import { createDdim } from "../diffusion/ddim.js";
import { createPhiloxStream } from "../diffusion/philox.js";
import type { FloatTensor } from "./float-tensor.js";
import { sampleLatents } from "./latent-posterior.js";
import { Pipeline } from "./pipeline.js";

const folder = loadCase("sample/ddim").model("pipeline");
const stream = createPhiloxStream(3n, { iteration: 0, index: 0, purpose: 0 });
const normal = (...shape: number[]): FloatTensor => ({ shape, data: stream.normals(shape.reduce((a, b) => a * b, 1)) });
const size = (shape: readonly number[]) => shape.reduce((a, b) => a * b, 1);
const furthest = (a: Float32Array, b: Float32Array) => a.reduce((most, x, i) => Math.max(most, Math.abs(x - b[i]!)), 0);

let pipeline: Pipeline;
let latentChannels: number;
beforeAll(async () => {
  pipeline = await Pipeline.load(folder);
  latentChannels = pipeline.model.unet!.config.inChannels;
});
afterAll(() => pipeline.release());

const latents = (batch: number) => normal(batch, latentChannels, 8, 8);
const sampler = (numSteps: number, eta = 0) => {
  const scheduler = pipeline.model.scheduler!;
  return createDdim({ ...scheduler, setAlphaToOne: false, clipSample: false, clipSampleRange: 1 }, numSteps, { eta });
};

test("a prompt's states do not depend on the prompts beside it", async () => {
  const { states: both } = await pipeline.encodePrompts(["a fox", "", "a fox"]);
  const { states: alone } = await pipeline.encodePrompts(["a fox"]);
  const row = size(alone.shape);
  expect(both.shape).toEqual([3, ...alone.shape.slice(1)]);
  expect(both.data.slice(0, row)).toEqual(alone.data);
  expect(both.data.slice(2 * row)).toEqual(alone.data);
  expect(both.data.slice(row, 2 * row)).not.toEqual(alone.data);
});

test("guidance is uncond + w (cond - uncond) of the two predictions", async () => {
  const [prompts, negative] = [await pipeline.encodePrompts(["a fox", "snow"]), await pipeline.encodePrompts(["", ""])];
  const x = latents(2);
  const at = Float32Array.of(501, 501);
  const [cond, uncond] = [await pipeline.denoise(x, at, prompts), await pipeline.denoise(x, at, negative)];
  const predict = pipeline.denoiser({ ...prompts, guidance: { scale: 3, ...negative } }, x.shape);
  const { guided, conditional, unconditional } = await predict(x.data, 501);
  expect(furthest(conditional, cond)).toBeLessThan(1e-5);
  expect(furthest(unconditional!, uncond)).toBeLessThan(1e-5);
  expect(
    furthest(
      guided,
      uncond.map((u, i) => u + 3 * (cond[i]! - u)),
    ),
  ).toBeLessThan(5e-5);
});

test("at a guidance scale of 1 the negative prompt is not evaluated", async () => {
  const prompt = await pipeline.encodePrompts(["a fox"]);
  const x = latents(1);
  const predict = pipeline.denoiser({ ...prompt, guidance: { scale: 1, ...prompt } }, x.shape);
  const { guided, unconditional } = await predict(x.data, 301);
  expect(unconditional).toBeUndefined();
  expect(guided).toEqual(await pipeline.denoise(x, Float32Array.of(301), prompt));
});

test("predictions that a sampler keeps are not overwritten by later ones", async () => {
  const [prompt, negative] = [await pipeline.encodePrompts(["a fox"]), await pipeline.encodePrompts([""])];
  const x = latents(1);
  const predict = pipeline.denoiser({ ...prompt, guidance: { scale: 2, ...negative } }, x.shape);
  const { guided } = await predict(x.data, 801);
  const kept = guided.slice();
  await predict(x.data, 1);
  expect(guided).toEqual(kept);
});

test("sampling steps through the sampler's timesteps and ends where its last step does", async () => {
  const prompt = await pipeline.encodePrompts(["a fox"]);
  const seen: number[] = [];
  let last: Float32Array | undefined;
  const walk = sampler(4);
  const result = await pipeline.sample({
    latents: latents(1),
    ...prompt,
    sampler: walk,
    onStep: (step) => {
      seen.push(step.timestep);
      last = step.latents;
    },
  });
  expect(seen).toEqual(walk.timesteps);
  expect(result.data).toBe(last);
});

test("noise is asked for at each step of a sampler that adds some", async () => {
  const prompt = await pipeline.encodePrompts(["a fox"]);
  const start = latents(1);
  const asked: number[] = [];
  const noise = (index: number) => {
    asked.push(index);
    return new Float32Array(start.data.length);
  };
  await pipeline.sample({ latents: start, ...prompt, sampler: sampler(3, 1), noise });
  expect(asked).toEqual([0, 1, 2]);
});

test("what onStep throws ends the sampling", async () => {
  const prompt = await pipeline.encodePrompts(["a fox"]);
  let steps = 0;
  const onStep = () => {
    if (++steps === 2) throw new Error("enough");
  };
  await expect(pipeline.sample({ latents: latents(1), ...prompt, sampler: sampler(4), onStep })).rejects.toThrow(
    "enough",
  );
  expect(steps).toBe(2);
});

test("pictures go to latents and back, each as if it were alone", async () => {
  const factor = 2 ** (pipeline.model.vae!.config.blockOutChannels.length - 1);
  const images = normal(9, 3, 4 * factor, 2 * factor);
  const posterior = await pipeline.encodeImages(images);
  expect(posterior.mean.shape).toEqual([9, latentChannels, 4, 2]);
  const drawn = sampleLatents(posterior, stream.normals(posterior.mean.data.length), { scalingFactor: 0.5 });
  const decoded = await pipeline.decode(drawn);
  expect(decoded.shape).toEqual(images.shape);
  for (const i of [0, 7, 8]) {
    const row = ({ shape, data }: FloatTensor) => {
      const length = data.length / 9;
      return { shape: [1, ...shape.slice(1)], data: data.slice(i * length, (i + 1) * length) };
    };
    const { logvar } = await pipeline.encodeImages(row(images));
    expect(furthest(logvar.data, row(posterior.logvar).data)).toBeLessThan(1e-4);
    expect(furthest((await pipeline.decode(row(drawn))).data, row(decoded).data)).toBeLessThan(1e-4);
  }
});

test("a UNet alone denoises, and says what else is missing when asked for it", async () => {
  const bare = await Pipeline.load(`${folder}/unet`);
  const { crossAttentionDim } = bare.model.unet!.config;
  const output = await bare.denoise(latents(1), Float32Array.of(1), { states: normal(1, 5, crossAttentionDim) });
  expect(output.every(Number.isFinite)).toBe(true);
  await expect(bare.decode(latents(1))).rejects.toMatchObject({
    kind: "notFound",
    message: expect.stringMatching("vae"),
  });
  await bare.release();
  await expect(
    bare.denoise(latents(1), Float32Array.of(1), { states: normal(1, 5, crossAttentionDim) }),
  ).rejects.toThrow("released");
});

import { join } from "node:path";
import { Pipeline } from "../../core/runtime/pipeline.js";
import { useTemporaryFolder } from "./temporary-folder.js";
import { TINY_IMAGE_SIZE, TINY_LATENT, writeTinyModel } from "./tiny-model.js";

const folder = useTemporaryFolder();
const ramp = (size: number) => Float32Array.from({ length: size }, (_, i) => Math.sin(i));

test("the tiny model is a whole pipeline whose UNet heeds latents, timestep and prompt", async () => {
  const path = join(folder(), "tiny");
  await writeTinyModel(path);
  const pipeline = await Pipeline.load(path);
  const states = await pipeline.encodePrompts(["a red heart", "a blue square"]);
  const latents = { shape: [2, ...TINY_LATENT], data: new Float32Array(512).fill(0.5) };
  const output = await pipeline.denoise(latents, Float32Array.of(500, 500), states);
  const [first, second] = [output.slice(0, 256), output.slice(256)];
  expect(Math.hypot(...first.map((x, i) => x - second[i]!)) / 16).toBeGreaterThan(0.01);
  const earlier = await pipeline.denoise(latents, Float32Array.of(20, 20), states);
  expect(Math.hypot(...output.map((x, i) => x - earlier[i]!)) / 16).toBeGreaterThan(0.01);
  expect(Math.hypot(...first) / 16).toBeLessThan(10);

  const size = 3 * TINY_IMAGE_SIZE ** 2;
  const posterior = await pipeline.encodeImages({ shape: [1, 3, TINY_IMAGE_SIZE, TINY_IMAGE_SIZE], data: ramp(size) });
  expect(posterior.mean.shape).toEqual([1, ...TINY_LATENT]);
  expect((await pipeline.decode(posterior.mean)).shape).toEqual([1, 3, TINY_IMAGE_SIZE, TINY_IMAGE_SIZE]);
  await pipeline.release();
});

test("another seed gives another UNet and another digest, the same seed the same", async () => {
  const digests = [];
  for (const [name, seed] of [
    ["a", 1n],
    ["b", 1n],
    ["c", 2n],
  ] as const) {
    digests.push(await writeTinyModel(join(folder(), name), { seed }));
  }
  expect(digests[0]).toBe(digests[1]);
  expect(digests[2]).not.toBe(digests[0]);
});

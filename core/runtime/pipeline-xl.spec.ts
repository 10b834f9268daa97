import { cp, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { useSharedFolder } from "../../test/support/temporary-folder.js";
import { TINY_LATENT, TINY_PROMPT_LENGTH } from "../../test/support/tiny-model.js";
import { TINY_XL_WIDTHS, writeTinyXlModel } from "../../test/support/tiny-xl-model.js";
import { openModelFolder, requireComponent } from "../checkpoint/model-folder.js";
import { createPhiloxStream } from "../diffusion/philox.js";
import * as ops from "../graph/ops/index.js";
import { clipText } from "../models/clip/text.js";
import { repeatConditions, wholePicture } from "./conditions.js";
import { createInference } from "./inference.js";
import { sampleLatents } from "./latent-posterior.js";
import { Pipeline } from "./pipeline.js";

/** What differs in an SDXL pipeline: two encoders, pooled text, sizes, statistics of the latents. */

const shared = useSharedFolder();
const stream = createPhiloxStream(4n, { iteration: 0, index: 0, purpose: 0 });
const normal = (...shape: number[]) => ({ shape, data: stream.normals(shape.reduce((a, b) => a * b, 1)) });
const furthest = (a: ArrayLike<number>, b: ArrayLike<number>) =>
  Array.from(a).reduce((most, x, i) => Math.max(most, Math.abs(x - b[i]!)), 0);
const { first, second, pooled } = TINY_XL_WIDTHS;
const WIDTH = first + second;

let folder: string;
let pipeline: Pipeline;
beforeAll(async () => {
  folder = join(shared(), "xl");
  await writeTinyXlModel(folder);
  pipeline = await Pipeline.load(folder);
});
afterAll(() => pipeline.release());

/** A copy with one configuration changed. */
async function variant(name: string, file: string, change: object): Promise<Pipeline> {
  const copy = join(shared(), name);
  await cp(folder, copy, { recursive: true });
  const path = join(copy, file);
  await writeFile(path, JSON.stringify({ ...(JSON.parse(await readFile(path, "utf8")) as object), ...change }));
  return Pipeline.load(copy);
}

/** Hidden states of one encoder, evaluated by itself. */
async function hiddenStates(name: "text_encoder" | "text_encoder_2", prompt: string): Promise<Float32Array[]> {
  const model = await openModelFolder(folder);
  const { config, weights } = requireComponent(model, name === "text_encoder" ? "textEncoder" : "textEncoder2");
  const states = (await Pipeline.load(folder)).tokenize([prompt])[0]!;
  const session = await createInference((p) => {
    const ids = ops.input("ids", [1, states.length], "int64");
    const all = clipText(p.at("text_model"), config, ids).hiddenStates;
    return Object.fromEntries(all.map((value, i) => [String(i), value]));
  }, weights);
  const ids = name === "text_encoder" ? states : padded(states);
  const results = await session.run({ ids: BigInt64Array.from(ids, BigInt) });
  await session.release();
  return Object.values(results);
}

/** The second tokenizer pads with id 0 after the first end token. */
function padded(ids: Int32Array): Int32Array {
  const end = ids.indexOf(ids.at(-1)!);
  return ids.map((id, i) => (i > end ? 0 : id));
}

test.each([0, 1])(
  "states are the encoders' penultimate ones side by side, earlier by a clip skip of %d",
  async (clipSkip) => {
    const { states, textEmbeds } = await pipeline.encodePrompts(["a red heart"], { clipSkip });
    expect(states.shape).toEqual([1, TINY_PROMPT_LENGTH, WIDTH]);
    expect(textEmbeds!.shape).toEqual([1, pooled]);
    const [one, two] = [
      (await hiddenStates("text_encoder", "a red heart")).at(-2 - clipSkip)!,
      (await hiddenStates("text_encoder_2", "a red heart")).at(-2 - clipSkip)!,
    ];
    for (let row = 0; row < TINY_PROMPT_LENGTH; row++) {
      const got = states.data.subarray(row * WIDTH, (row + 1) * WIDTH);
      expect(furthest(got.subarray(0, first), one.subarray(row * first, (row + 1) * first))).toBeLessThan(1e-5);
      expect(furthest(got.subarray(first), two.subarray(row * second, (row + 1) * second))).toBeLessThan(1e-5);
    }
    // The pooled text is that of all layers, whatever is left out of the states.
    expect(textEmbeds).toEqual((await pipeline.encodePrompts(["a red heart"])).textEmbeds);
  },
);

test("a clip skip beyond the encoders' layers is refused by its name", async () => {
  await expect(pipeline.encodePrompts(["a"], { clipSkip: 3 })).rejects.toMatchObject({
    kind: "invalid",
    details: { field: "clip_skip" },
  });
});

test("without a negative prompt guidance leads away from zeros, unless the index says otherwise", async () => {
  const zeros = await pipeline.encodeNegative();
  const empty = await pipeline.encodePrompts([""]);
  expect([zeros.states.shape, zeros.textEmbeds!.shape]).toEqual([empty.states.shape, empty.textEmbeds!.shape]);
  expect([...zeros.states.data, ...zeros.textEmbeds!.data].every((x) => x === 0)).toBe(true);
  expect(await pipeline.encodeNegative("")).toEqual(empty);
  const other = await variant("no-zeros", "model_index.json", { force_zeros_for_empty_prompt: false });
  expect(await other.encodeNegative()).toEqual(empty);
  await other.release();
});

test("both halves of guidance have pooled text and sizes of their own", async () => {
  const conditions = (text: Awaited<ReturnType<Pipeline["encodePrompts"]>>, size: number) =>
    repeatConditions({ ...text, ...pipeline.timeIds([wholePicture(size, size)]) }, 2);
  const prompt = conditions(await pipeline.encodePrompts(["a red heart"]), 16);
  const negative = conditions(await pipeline.encodeNegative("blue"), 64);
  const x = normal(2, ...TINY_LATENT);
  const at = Float32Array.of(300, 300);
  const [cond, uncond] = [await pipeline.denoise(x, at, prompt), await pipeline.denoise(x, at, negative)];
  const predict = pipeline.denoiser({ ...prompt, guidance: { ...negative, scale: 3 } }, x.shape);
  const { guided, conditional, unconditional } = await predict(x.data, 300);
  expect(furthest(conditional, cond)).toBeLessThan(1e-5);
  expect(furthest(unconditional!, uncond)).toBeLessThan(1e-5);
  const expected = uncond.map((u, i) => u + 3 * (cond[i]! - u));
  expect(furthest(guided, expected)).toBeLessThan(1e-4);
  for (const part of ["textEmbeds", "timeIds"] as const) {
    const other = await pipeline.denoise(x, at, { ...prompt, [part]: negative[part] });
    expect(furthest(other, cond)).toBeGreaterThan(1e-4);
  }
});

test("a rescaled prediction has the conditional one's deviation", async () => {
  const sizes = pipeline.timeIds([wholePicture(16, 16)]);
  const [prompt, negative] = [await pipeline.encodePrompts(["a red heart"]), await pipeline.encodeNegative()];
  const x = normal(1, ...TINY_LATENT);
  const guidance = { ...negative, ...sizes, scale: 8, rescale: 1 };
  const { guided, conditional } = await pipeline.denoiser({ ...prompt, ...sizes, guidance }, x.shape)(x.data, 500);
  const deviation = (values: Float32Array) => {
    const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
    return Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (values.length - 1));
  };
  expect(deviation(guided)).toBeCloseTo(deviation(conditional), 4);
});

test("latents are freed of the VAE's statistics for the UNet, and given them back before they are decoded", async () => {
  const plain = await variant("plain-vae", "vae/config.json", { latents_mean: null, latents_std: null });
  const posterior = await pipeline.encodeImages(normal(1, 3, 16, 16));
  const noise = stream.normals(posterior.mean.data.length);
  const [{ config }, { config: plainConfig }] = [
    requireComponent(pipeline.model, "vae"),
    requireComponent(plain.model, "vae"),
  ];
  const latents = sampleLatents(posterior, noise, config);
  const unscaled = sampleLatents(posterior, noise, { scalingFactor: 1 }).data;
  const { mean, std } = config.statistics!;
  const size = unscaled.length / mean.length;
  const expected = unscaled.map((z, i) => {
    const channel = Math.floor(i / size);
    return ((z - mean[channel]!) * config.scalingFactor) / std[channel]!;
  });
  expect(furthest(latents.data, expected)).toBeLessThan(1e-6);
  const [image, same] = [
    await pipeline.decode(latents),
    await plain.decode(sampleLatents(posterior, noise, plainConfig)),
  ];
  expect(furthest(image.data, same.data)).toBeLessThan(1e-4);
  await plain.release();
});

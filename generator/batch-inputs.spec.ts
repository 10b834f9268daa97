import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { requireComponent } from "../core/checkpoint/model-folder.js";
import { type RgbImage, toTensor } from "../core/data/image.js";
import { sampleLatents } from "../core/runtime/latent-posterior.js";
import { Pipeline } from "../core/runtime/pipeline.js";
import { CropKind, type SamplingSettings } from "../proto/gen/spin/v1/sampling.js";
import { DataType } from "../proto/gen/spin/v1/tensor.js";
import { TINY_IMAGE_SIZE, TINY_LATENT, writeTinyModel } from "../test/support/tiny-model.js";
import { writeTinyXlModel } from "../test/support/tiny-xl-model.js";
import { batchInputs, type InputModel } from "./batch-inputs.js";
import { ConditionEncoder } from "./condition-encoder.js";
import type { DrawJob } from "./draws.js";
import { noiseStream, PURPOSE } from "./noise-purposes.js";
import { itemOfSample } from "./sample-order.js";
import type { TrainingSource } from "./training-source.js";

const SIZE = 256;
const CAPTIONS = ["a red heart", "a blue square", "three o'clock", "a woman", "curly hair", "dark skin"];

let folder: string;
let model: InputModel & { pipeline: Pipeline };
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "spin-inputs-"));
  await writeTinyModel(join(folder, "tiny"));
  const pipeline = await Pipeline.load(join(folder, "tiny"), { threads: 1 });
  model = { pipeline, textDigest: "text", vaeDigest: "vae", latentScaling: { scalingFactor: 0.5 } };
});
afterAll(async () => {
  await model.pipeline.release();
  await rm(folder, { recursive: true });
});

/** A ramp from left to right whose slope tells the item; wide pictures can be cut at many places. */
function picture(item: number, width: number, mirrored = false): RgbImage {
  const data = new Uint8Array(3 * width * TINY_IMAGE_SIZE);
  for (let pixel = 0; pixel < width * TINY_IMAGE_SIZE; pixel++) {
    const column = mirrored ? width - 1 - (pixel % width) : pixel % width;
    data.fill((column * (item + 3)) % 256, 3 * pixel, 3 * pixel + 3);
  }
  return { width, height: TINY_IMAGE_SIZE, data };
}

function source(width = TINY_IMAGE_SIZE, flippable = true): TrainingSource {
  return {
    digest: `pictures ${width}`,
    size: CAPTIONS.length,
    flippable,
    caption: (index) => CAPTIONS[index]!,
    images: (index) => [async () => picture(index, width)],
    keys: (index) => [`${width} ${index}`],
  };
}
const pairs: TrainingSource = {
  ...source(),
  images: (index) => [index, index + 10].map((item) => async () => picture(item, TINY_IMAGE_SIZE)),
  keys: (index) => [`${TINY_IMAGE_SIZE} ${index}`, `${TINY_IMAGE_SIZE} ${index + 10}`],
};

const job: DrawJob = {
  form: "realOnly",
  seed: 3n,
  iteration: 1,
  firstIndex: 4,
  drawsPerSample: 1,
  timestepRule: "uniform",
};
const settings = (change: Partial<SamplingSettings> = {}, image: object = {}): SamplingSettings => ({
  sampler: undefined,
  timestepChoice: 1,
  drawsPerSample: 1,
  promptDropout: 0,
  image: { resolution: 0, crop: CropKind.CROP_KIND_CENTER, flipProbability: 0, ...image },
  dtype: DataType.DATA_TYPE_FLOAT32,
  batchSize: 4,
  threads: 0,
  clipSkip: 0,
  ...change,
});
const prepare = (from: TrainingSource, of = settings(), encoder = new ConditionEncoder(1e9), at = job) =>
  batchInputs(model, encoder, from, at, of, TINY_IMAGE_SIZE, TINY_LATENT);
const row = (data: Float32Array, i: number) => data.subarray(i * SIZE, (i + 1) * SIZE);

/** The draw from the posterior of a picture that sample `index` is to have. */
async function latentsOf(image: RgbImage, index: number, purpose: number = PURPOSE.latents): Promise<Float32Array> {
  const shape = [1, 3, TINY_IMAGE_SIZE, TINY_IMAGE_SIZE];
  const posterior = await model.pipeline.encodeImages({ shape, data: toTensor(image) });
  return sampleLatents(posterior, noiseStream(job, index, purpose).normals(SIZE), { scalingFactor: 0.5 }).data;
}

test("samples show the items of their pass, each with its own caption and picture", async () => {
  const inputs = await prepare(source());
  expect(inputs.real.shape).toEqual([4, ...TINY_LATENT]);
  const items = [4, 5, 6, 7].map((index) => itemOfSample(job, index, CAPTIONS.length));
  const expected = await model.pipeline.encodePrompts(items.map((item) => CAPTIONS[item]!));
  expect(inputs.states).toEqual(expected.states);
  expect(inputs.unconditional).toEqual(await model.pipeline.encodePrompts([""]));
  for (const [i, item] of items.entries()) {
    expect(row(inputs.real.data, i)).toEqual(await latentsOf(picture(item, 16), 4 + i));
  }
});

test("what was kept from other batches changes no bit", async () => {
  const encoder = new ConditionEncoder(1e9);
  for (const firstIndex of [0, 8, 12]) await prepare(source(), settings(), encoder, { ...job, firstIndex });
  expect(encoder.takeCounts().misses).toBeGreaterThan(0);
  const warm = await prepare(source(), settings(), encoder);
  expect(encoder.takeCounts().misses).toBe(0);
  expect(warm).toEqual(await prepare(source()));
  expect(warm).toEqual(await prepare(source(), settings(), new ConditionEncoder(0)));
});

test("each pass draws anew from the VAE's posterior", async () => {
  const [now, later] = [
    await prepare(source()),
    await prepare(source(), settings(), undefined, { ...job, iteration: 2 }),
  ];
  const again = await prepare(source());
  expect(again).toEqual(now);
  expect(later.real.data).not.toEqual(now.real.data);
});

test("captions are dropped with the given chance, once per sample", async () => {
  const empty = (await model.pipeline.encodePrompts([""])).states.data;
  const dropped = async (promptDropout: number) => {
    const { data } = (await prepare(source(), settings({ promptDropout, batchSize: 64 }))).states;
    const rows = Array.from({ length: 64 }, (_, i) => data.slice(i * empty.length, (i + 1) * empty.length));
    return rows.filter((states) => states.join() === empty.join()).length;
  };
  expect(await dropped(0)).toBe(0);
  expect(await dropped(1)).toBe(64);
  const half = await dropped(0.5);
  expect(half).toBeGreaterThan(18);
  expect(half).toBeLessThan(46);
});

test("a flip gives the latents of the mirrored picture, and is refused where captions tell left from right", async () => {
  const flipped = await prepare(source(), settings({}, { flipProbability: 1 }));
  const mirrored = picture(itemOfSample(job, 4, CAPTIONS.length), 16, true);
  expect(row(flipped.real.data, 0)).toEqual(await latentsOf(mirrored, 4));
  const refused = prepare(source(16, false), settings({}, { flipProbability: 0.5 }));
  await expect(refused).rejects.toMatchObject({
    kind: "invalid",
    details: { field: "spec.settings.image.flip_probability" },
  });
});

test("crops in the middle are all alike, random crops are at places of their own", async () => {
  const cutAt = (left: number): RgbImage => {
    const { data } = picture(itemOfSample(job, 4, CAPTIONS.length), 64);
    const cut = new Uint8Array(3 * 256);
    for (let y = 0; y < 16; y++) cut.set(data.subarray(3 * (64 * y + left), 3 * (64 * y + left + 16)), 48 * y);
    return { width: 16, height: 16, data: cut };
  };
  const cropped = async (crop: CropKind) => (await prepare(source(64), settings({ batchSize: 1 }, { crop }))).real.data;
  expect(await cropped(CropKind.CROP_KIND_CENTER)).toEqual(await latentsOf(cutAt(24), 4));
  const left = Math.floor(noiseStream(job, 4, PURPOSE.crop).uniform() * 49);
  expect(left).not.toBe(24);
  expect(await cropped(CropKind.CROP_KIND_RANDOM)).toEqual(await latentsOf(cutAt(left), 4));
});

test("pairs have a second picture with a draw of its own", async () => {
  const { real, other } = await prepare(pairs);
  const item = itemOfSample(job, 4, CAPTIONS.length);
  expect(row(real.data, 0)).toEqual(await latentsOf(picture(item, 16), 4));
  expect(row(other!.data, 0)).toEqual(await latentsOf(picture(item + 10, 16), 4, PURPOSE.latentsOther));
  expect((await prepare(source())).other).toBeUndefined();
});

describe("of an SDXL model", () => {
  let xl: InputModel & { pipeline: Pipeline };
  beforeAll(async () => {
    await writeTinyXlModel(join(folder, "xl"));
    const pipeline = await Pipeline.load(join(folder, "xl"), { threads: 1 });
    const { config } = requireComponent(pipeline.model, "vae");
    xl = { pipeline, textDigest: "xl text", vaeDigest: "xl vae", latentScaling: config };
  });
  afterAll(() => xl.pipeline.release());
  const prepareXl = (of: SamplingSettings, from = source(64), encoder = new ConditionEncoder(1e9)) =>
    batchInputs(xl, encoder, from, job, of, TINY_IMAGE_SIZE, TINY_LATENT);

  test("samples tell the size of their pictures and where they were cut, kept pictures too", async () => {
    const random = settings({}, { crop: CropKind.CROP_KIND_RANDOM, flipProbability: 1 });
    const encoder = new ConditionEncoder(1e9);
    const inputs = await prepareXl(random, source(64), encoder);
    const expected = [4, 5, 6, 7].flatMap((index) => {
      const left = Math.floor(noiseStream(job, index, PURPOSE.crop).uniform() * 49);
      return [16, 64, 0, 48 - left, 16, 16];
    });
    expect(inputs.timeIds!.shape).toEqual([4, 6]);
    expect([...inputs.timeIds!.data]).toEqual(expected);
    expect(await prepareXl(random, source(64), encoder)).toEqual(inputs);
  });

  test("of a pair the winner's sizes hold for both sides", async () => {
    const mixed: TrainingSource = {
      ...source(),
      images: (item) => [async () => picture(item, 32), async () => picture(item + 10, 16)],
      keys: (item) => [`32 ${item}`, `16 ${item + 10}`],
    };
    const { timeIds } = await prepareXl(settings({ batchSize: 1 }), mixed);
    expect([...timeIds!.data]).toEqual([16, 32, 0, 8, 16, 16]);
  });

  test("dropped captions are the empty prompt, guidance leads away from zeros or the negative prompt", async () => {
    const empty = await xl.pipeline.encodePrompts([""]);
    const dropped = await prepareXl(settings({ promptDropout: 1, batchSize: 1 }));
    expect([dropped.states, dropped.textEmbeds]).toEqual([empty.states, empty.textEmbeds]);
    expect(dropped.unconditional.states.data.every((x) => x === 0)).toBe(true);
    const sampler = { kind: 1, numSteps: 4, eta: 0, guidanceScale: 2, negativePrompt: "dark skin" };
    const led = await prepareXl(settings({ sampler: { ...sampler, guidanceRescale: 0, clipSkip: 0 }, batchSize: 1 }));
    expect(led.unconditional).toEqual(await xl.pipeline.encodePrompts(["dark skin"]));
  });

  test("a clip skip holds for captions", async () => {
    const { states } = await prepareXl(settings({ promptDropout: 1, clipSkip: 1, batchSize: 1 }));
    expect(states).toEqual((await xl.pipeline.encodePrompts([""], { clipSkip: 1 })).states);
  });
});

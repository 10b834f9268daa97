import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { samplerKind } from "../cli/sampler-options.js";
import { decodeImage, fromTensor } from "../core/data/image.js";
import { openDataset } from "../core/data/open-dataset.js";
import { createPipelineSampler } from "../core/diffusion/pipeline-sampler.js";
import { createTorchGenerator } from "../core/diffusion/torch-generator.js";
import { Pipeline } from "../core/runtime/pipeline.js";
import { decodeFloat32 } from "../core/service/tensor-codec.js";
import {
  GeneratorServiceService,
  RenderImagesRequest,
  type RenderImagesResponse,
} from "../proto/gen/spin/v1/generator_service.js";
import { failure } from "../test/support/failure.js";
import { startTinyGenerator, type TinyGenerator } from "../test/support/tiny-generator.js";
import { TINY_LATENT, writeTinyModel } from "../test/support/tiny-model.js";

const CAPTION = "a red heart";
const DDIM = { kind: 1, numSteps: 4, eta: 1, guidanceScale: 2, guidanceRescale: 0, clipSkip: 0 };

let folder: string;
let digest: string;
let tiny: TinyGenerator;
let reference: Pipeline;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "spin-render-"));
  digest = await writeTinyModel(join(folder, "models/tiny"));
  tiny = await startTinyGenerator(folder);
  reference = await Pipeline.load(join(folder, "models/tiny"), { threads: 1 });
});
afterAll(async () => {
  await tiny.close();
  await reference.release();
  await rm(folder, { recursive: true });
});

const items = [
  { caption: { $case: "prompt" as const, value: CAPTION }, seed: 3n },
  { caption: { $case: "prompt" as const, value: "" }, seed: 4n },
  { caption: { $case: "prompt" as const, value: "a blue square" }, seed: 2n ** 63n },
];
const request = (fields: Partial<RenderImagesRequest> = {}) =>
  RenderImagesRequest.fromPartial({
    checkpoint: { digest: "", modelName: "tiny" },
    items,
    sampler: { kind: 0, numSteps: 3, eta: 0, guidanceScale: 2, guidanceRescale: 0, clipSkip: 0 },
    format: 1,
    includeLatents: true,
    ...fields,
  });
async function render(of: RenderImagesRequest): Promise<RenderImagesResponse[]> {
  const pictures: RenderImagesResponse[] = [];
  for await (const picture of tiny.channel.stream(GeneratorServiceService.renderImages, of)) pictures.push(picture);
  return pictures;
}
const bits = ({ traceparent: _, item: __, ...picture }: RenderImagesResponse) => picture;

test("gives the picture that a pipeline with torch's generator gives", async () => {
  for (const [kind, eta] of [
    ["ddim", 0.5],
    ["pndm", 0],
    ["ddpm", 0],
    ["euler", 0],
    ["dpm", 0],
  ] as const) {
    const settings = { ...DDIM, kind: samplerKind(kind), numSteps: 3, eta };
    const [picture] = await render(request({ items: items.slice(0, 1), sampler: settings }));
    const generator = createTorchGenerator(3n);
    const latents = await reference.sample({
      latents: { shape: [1, ...TINY_LATENT], data: generator.randn(256) },
      ...(await reference.encodePrompts([CAPTION])),
      guidance: { scale: 2, ...(await reference.encodePrompts([""])) },
      sampler: createPipelineSampler(reference.model.scheduler!, { kind, numSteps: 3, eta }),
      noise: () => generator.randn(256),
    });
    expect(decodeFloat32(picture!.latents, "latents")).toEqual({ shape: [...TINY_LATENT], data: latents.data });
    const expected = fromTensor((await reference.decode(latents)).data, 16, 16);
    expect((await decodeImage(picture!.image)).data.join()).toBe(expected.data.join());
    expect(picture).toMatchObject({ item: 0, prompt: CAPTION, checkpointDigest: digest });
  }
});

test("guidance leads away from the negative prompt, is rescaled, and prompts are encoded with fewer layers, as asked", async () => {
  const settings = { ...DDIM, eta: 0, negativePrompt: "a blue square", guidanceRescale: 0.7, clipSkip: 1 };
  const [picture] = await render(request({ items: items.slice(0, 1), sampler: settings }));
  const latents = await reference.sample({
    latents: { shape: [1, ...TINY_LATENT], data: createTorchGenerator(3n).randn(256) },
    ...(await reference.encodePrompts([CAPTION], { clipSkip: 1 })),
    guidance: { scale: 2, rescale: 0.7, ...(await reference.encodePrompts(["a blue square"])) },
    sampler: createPipelineSampler(reference.model.scheduler!, { kind: "ddim", numSteps: 4 }),
  });
  expect(decodeFloat32(picture!.latents, "latents").data).toEqual(latents.data);
  for (const plain of [{ negativePrompt: undefined }, { guidanceRescale: 0 }, { clipSkip: 0 }]) {
    const [other] = await render(request({ items: items.slice(0, 1), sampler: { ...settings, ...plain } }));
    expect(other!.latents).not.toEqual(picture!.latents);
  }
});

test("gives an item the same bits whatever other items are asked for", async () => {
  const all = await render(request({ batchSize: 2 }));
  expect(all.map(({ item, prompt }) => [item, prompt])).toEqual([
    [0, CAPTION],
    [1, ""],
    [2, "a blue square"],
  ]);
  const [last] = await render(request({ batchSize: 2, items: items.slice(2) }));
  expect(bits(last!)).toEqual(bits(all[2]!));
});

test("takes captions of a data set, of its test part where none is named", async () => {
  const captions = [5, 0].map((value) => ({ caption: { $case: "captionIndex" as const, value }, seed: 1n }));
  const pictures = await render(request({ items: captions, dataset: { name: "emoji", digest: "", split: "" } }));
  const dataset = await openDataset("emoji", "test");
  expect(pictures.map(({ prompt }) => prompt)).toEqual([dataset.item(5).caption, dataset.item(0).caption]);
});

test("sends WebP, latents alone, and other sizes when asked to", async () => {
  const [webp] = await render(request({ items: items.slice(0, 1), format: 2, height: 32, width: 24 }));
  expect(Buffer.from(webp!.image.subarray(8, 12)).toString()).toBe("WEBP");
  expect(await decodeImage(webp!.image)).toMatchObject({ width: 24, height: 32 });
  const [latents] = await render(request({ items: items.slice(0, 1), format: 0 }));
  expect(latents!.image).toHaveLength(0);
  expect(latents!.latents!.shape).toEqual([...TINY_LATENT]);
  const [image] = await render(request({ items: items.slice(0, 1), includeLatents: false }));
  expect(image!.latents).toBeUndefined();
});

test.each<[string, Partial<RenderImagesRequest>, object]>([
  ["no items", { items: [] }, { kind: "invalid", field: "items" }],
  [
    "an item without caption",
    { items: [{ caption: undefined, seed: 1n }] },
    { kind: "invalid", field: "items[0].caption" },
  ],
  [
    "a caption_index without data set",
    { items: [...items, { caption: { $case: "captionIndex", value: 1 }, seed: 1n }] },
    { kind: "invalid", field: "dataset" },
  ],
  [
    "a caption_index outside",
    {
      items: [{ caption: { $case: "captionIndex", value: 1e6 }, seed: 1n }],
      dataset: { name: "emoji", digest: "", split: "" },
    },
    { kind: "invalid", field: "items[0].caption_index" },
  ],
  ["no sampler", { sampler: undefined }, { kind: "invalid", field: "sampler" }],
  [
    "steps beyond the schedule",
    { sampler: { ...DDIM, numSteps: 1001 } },
    { kind: "invalid", field: "sampler.num_steps" },
  ],
  [
    "more layers to leave out than there are",
    { sampler: { ...DDIM, clipSkip: 5 } },
    { kind: "invalid", field: "clip_skip" },
  ],
  ["η for PNDM", { sampler: { ...DDIM, kind: 2 } }, { kind: "invalid", field: "sampler.eta" }],
  ["an odd size", { height: 17 }, { kind: "invalid", field: "height" }],
  ["too many pixels", { height: 4096, width: 4096, batchSize: 200 }, { kind: "invalid", field: "batch_size" }],
  ["an unknown format", { format: 9 as 1 }, { kind: "invalid", field: "format" }],
  [
    "an unknown model",
    { checkpoint: { digest: "", modelName: "none" } },
    { kind: "notFound", field: "checkpoint.model_name" },
  ],
  [
    "a name that climbs",
    { checkpoint: { digest: "", modelName: "../tiny" } },
    { kind: "invalid", field: "checkpoint.model_name" },
  ],
])("refuses %s", async (_, fields, { kind, field }: { kind?: string; field?: string }) => {
  expect(await failure(render(request(fields)))).toMatchObject({ kind, details: { field } });
});

import { join } from "node:path";
import { openModelFolder, requireComponent } from "../../core/checkpoint/model-folder.js";
import { createPipelineSampler } from "../../core/diffusion/pipeline-sampler.js";
import { createTorchGenerator } from "../../core/diffusion/torch-generator.js";
import { sizeOf } from "../../core/graph/value.js";
import { parseClipTextConfig } from "../../core/models/clip/config.js";
import { cutVocabulary, writeClipTokenizer } from "../../core/models/clip/cut-vocabulary.js";
import {
  clipTextParameterShapes,
  unetParameterShapes,
  vaeParameterShapes,
} from "../../core/models/parameter-shapes.js";
import { parseUnetConfig } from "../../core/models/unet/config.js";
import { parseVaeConfig } from "../../core/models/vae/config.js";
import { Pipeline } from "../../core/runtime/pipeline.js";
import { useTemporaryFolder } from "../../test/support/temporary-folder.js";
import { type ModelConfigs, modelConfigs } from "./configs.js";
import { type WriteOptions, writeModel } from "./write-model.js";

const folder = useTemporaryFolder();
const WIDTHS = [8, 16, 16, 16];

/** The quarter's topology, much narrower. */
function narrow(): ModelConfigs {
  const { unet, vae, textEncoder, scheduler } = modelConfigs("sd15-quarter", 8);
  return {
    unet: { ...unet, block_out_channels: WIDTHS, norm_num_groups: 4, cross_attention_dim: 12 },
    vae: { ...vae, block_out_channels: WIDTHS, norm_num_groups: 4 },
    textEncoder: { ...textEncoder, hidden_size: 12, intermediate_size: 16, num_hidden_layers: 2 },
    scheduler,
  };
}

async function write(name: string, options: Partial<WriteOptions> = {}): Promise<string> {
  const tokenizer = join(folder(), "tokenizer");
  await writeClipTokenizer(tokenizer, cutVocabulary(["a red heart"]), 77);
  const { digest } = await writeModel(join(folder(), name), narrow(), {
    dtype: "F32",
    seed: 1n,
    tokenizer,
    ...options,
  });
  return digest;
}

test("the configurations have as many parameters as the published models", () => {
  const { unet, vae, textEncoder } = modelConfigs("sd15");
  const count = (shapes: ReadonlyMap<string, readonly number[]>) =>
    [...shapes.values()].reduce((sum, shape) => sum + sizeOf(shape), 0);
  expect(count(unetParameterShapes(parseUnetConfig(unet, "")))).toBe(859_520_964);
  expect(count(vaeParameterShapes(parseVaeConfig(vae, "")))).toBe(83_653_863);
  expect(count(clipTextParameterShapes(parseClipTextConfig({ ...textEncoder, vocab_size: 49408 }, "")))).toBe(
    123_060_480,
  );
});

test("a quarter has a quarter of each width, and groups and heads of the same size", () => {
  const [whole, quarter] = [modelConfigs("sd15"), modelConfigs("sd15-quarter")].map(({ unet }) =>
    parseUnetConfig(unet, ""),
  );
  expect(quarter!.blockOutChannels.map((width) => 4 * width)).toEqual(whole!.blockOutChannels);
  for (const [level, width] of quarter!.blockOutChannels.entries()) {
    expect(width / quarter!.numHeads[level]!).toBe(whole!.blockOutChannels[level]! / whole!.numHeads[level]!);
    expect(width / quarter!.normNumGroups).toBe(whole!.blockOutChannels[level]! / whole!.normNumGroups);
  }
});

test("a written folder turns a prompt into a finite picture", async () => {
  await write("model");
  const pipeline = await Pipeline.load(join(folder(), "model"), { threads: 1 });
  const scheduler = requireComponent(pipeline.model, "scheduler");
  const latents = { shape: [1, 4, 8, 8], data: createTorchGenerator(1n).randn(256) };
  const sampler = createPipelineSampler(scheduler, { kind: "ddim", numSteps: 2 });
  const { states } = await pipeline.encodePrompts(["a red heart"]);
  const sampled = await pipeline.sample({ latents, states, sampler });
  const { shape, data } = await pipeline.decode(sampled);
  await pipeline.release();
  expect(shape).toEqual([1, 3, 64, 64]);
  expect(data.every(Number.isFinite)).toBe(true);
  expect(new Set(data).size).toBeGreaterThan(1000);
});

test("weights have the scale that their layers begin with, and norms begin as they are", async () => {
  await write("model");
  const { weights } = requireComponent(await openModelFolder(join(folder(), "model")), "unet");
  const deviation = async (name: string) => {
    const values = await weights.readFloat32(name);
    return Math.sqrt(values.reduce((sum, value) => sum + value * value, 0) / values.length);
  };
  const uniform = (fanIn: number) => 1 / Math.sqrt(3 * fanIn);
  expect((await deviation("mid_block.resnets.0.conv1.weight")) / uniform(16 * 9)).toBeCloseTo(1, 1);
  expect((await deviation("mid_block.resnets.0.conv1.bias")) / uniform(16 * 9)).toBeCloseTo(1, 0);
  expect(new Set(await weights.readFloat32("mid_block.resnets.0.norm1.weight"))).toEqual(new Set([1]));
  expect(new Set(await weights.readFloat32("conv_norm_out.bias"))).toEqual(new Set([0]));
});

test("the same seed gives the same folder, another seed or type another", async () => {
  const digest = await write("one");
  expect(await write("two")).toBe(digest);
  expect(await write("three", { seed: 2n })).not.toBe(digest);
  expect(await write("half", { dtype: "F16" })).not.toBe(digest);
  const { weights } = requireComponent(await openModelFolder(join(folder(), "half")), "textEncoder");
  expect(new Set([...weights.tensors.values()].map(({ dtype }) => dtype))).toEqual(new Set(["F16"]));
});

test("progress counts parameters up to all of them", async () => {
  const counts: [number, number][] = [];
  await write("model", { onProgress: (...count) => counts.push(count) });
  expect(counts.at(-1)![0]).toBe(counts.at(-1)![1]);
  expect(counts.every(([written], i) => i === 0 || written > counts[i - 1]![0])).toBe(true);
});

test("a tokenizer that is not there leaves no folder behind", async () => {
  const written = write("model", { tokenizer: join(folder(), "nowhere") });
  await expect(written).rejects.toMatchObject({ kind: "notFound" });
  await expect(openModelFolder(join(folder(), "model"))).rejects.toMatchObject({ kind: "notFound" });
});

import { cp, mkdir, readFile, rename, rm, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { useTemporaryFolder } from "../../test/support/temporary-folder.js";
import { writeTinyXlModel } from "../../test/support/tiny-xl-model.js";
import { openModelFolder, requireComponent } from "./model-folder.js";
import { openSafetensors } from "./safetensors.js";
import { readWeights } from "./weights.js";
import { writeSafetensors } from "./write-safetensors.js";

const cases = fileURLToPath(new URL("../../test/reference/cases", import.meta.url));
const pipeline = join(cases, "sample/ddim/model");
const folder = useTemporaryFolder();

async function copyOfPipeline(): Promise<string> {
  await cp(pipeline, folder(), { recursive: true });
  return folder();
}

test("a pipeline opens with its networks, tokenizer and scheduler", async () => {
  const model = await openModelFolder(pipeline);
  expect(requireComponent(model, "unet").config.blockOutChannels.length).toBeGreaterThan(1);
  expect(requireComponent(model, "scheduler").className).toBe("PNDMScheduler");
  expect(requireComponent(model, "tokenizer")).toBe(join(pipeline, "tokenizer"));
  const { weights } = requireComponent(model, "textEncoder");
  expect((await readWeights(weights)).size).toBe(weights.tensors.size);
});

test("the class that the index names for the scheduler has the last word", async () => {
  const path = await copyOfPipeline();
  const index = JSON.parse(await readFile(join(path, "model_index.json"), "utf8"));
  const scheduler = ["diffusers", "DDIMScheduler"];
  await writeFile(
    join(path, "model_index.json"),
    JSON.stringify({ ...index, scheduler, safety_checker: [null, null] }),
  );
  expect((await openModelFolder(path)).scheduler).toMatchObject({ className: "DDIMScheduler", setAlphaToOne: false });
});

test("a folder with just unet/ and scheduler/ opens, and what it lacks is named when asked for", async () => {
  const path = await copyOfPipeline();
  for (const name of ["model_index.json", "vae", "text_encoder", "tokenizer"])
    await rm(join(path, name), { recursive: true });
  const model = await openModelFolder(path);
  expect(model.unet?.config.inChannels).toBe(4);
  expect(model.scheduler?.numTrainTimesteps).toBe(1000);
  expect(() => requireComponent(model, "vae")).toThrow(`${path} has no vae`);
});

test.each([
  ["unet-forward/sd21/model", "unet"],
  ["vae-encode/sdxl/model", "vae"],
  ["text-encode/sd15-quick-gelu/model", "textEncoder"],
  ["text-encode/sdxl-projection/model", "textEncoder"],
  ["score/clip-gelu/clip", "clip"],
] as const)("%s opens as a bare %s", async (path, component) => {
  const model = await openModelFolder(join(cases, path));
  expect(requireComponent(model, component).weights.tensors.size).toBeGreaterThan(0);
});

test("legacy attention of a VAE has today's names and shapes, at the same place in the file", async () => {
  const path = join(cases, "vae-encode/sd15/model");
  const file = await openSafetensors(join(path, "diffusion_pytorch_model.safetensors"));
  const { weights } = requireComponent(await openModelFolder(path), "vae");
  const now = weights.tensors.get("encoder.mid_block.attentions.0.to_out.0.weight")!;
  const then = file.tensors.get("encoder.mid_block.attentions.0.proj_attn.weight")!;
  expect(now.offset).toBe(then.offset);
  expect(now.shape).toEqual(then.shape.slice(0, 2));
});

test("attention stored as 1×1 convolutions is read as matrices", async () => {
  const path = join(folder(), "vae");
  await cp(join(cases, "vae-encode/sd15/model"), path, { recursive: true });
  const file = await openSafetensors(join(path, "diffusion_pytorch_model.safetensors"));
  const entries = [...file.tensors].map(([name, { dtype, shape }]) => ({
    name,
    dtype,
    shape: /attentions.*(query|key|value|proj_attn).weight/.test(name) ? [...shape, 1, 1] : shape,
    data: () => file.readFloat32(name),
  }));
  await writeSafetensors(join(folder(), "new.safetensors"), entries);
  await cp(join(folder(), "new.safetensors"), join(path, "diffusion_pytorch_model.safetensors"));
  const { weights } = requireComponent(await openModelFolder(path), "vae");
  expect(weights.tensors.get("decoder.mid_block.attentions.0.to_q.weight")!.shape).toHaveLength(2);
});

test("a text encoder without the prefix text_model. gets it, and its position_ids are left out", async () => {
  const path = join(folder(), "text_encoder");
  await cp(join(cases, "text-encode/sd15-quick-gelu/model"), path, { recursive: true });
  const file = await openSafetensors(join(path, "model.safetensors"));
  const entries = [...file.tensors].map(([name, { dtype, shape }]) => ({
    name: name.replace("text_model.", ""),
    dtype,
    shape,
    data: () => file.readFloat32(name),
  }));
  const positions = { name: "embeddings.position_ids", dtype: "I64", shape: [1], data: new BigInt64Array(1) } as const;
  await writeSafetensors(join(folder(), "new.safetensors"), [...entries, positions]);
  await cp(join(folder(), "new.safetensors"), join(path, "model.safetensors"));
  const { weights } = requireComponent(await openModelFolder(path), "textEncoder");
  expect([...weights.tensors.keys()].every((name) => name.startsWith("text_model."))).toBe(true);
});

describe("an SDXL pipeline", () => {
  const xl = async (options?: Parameters<typeof writeTinyXlModel>[1]) => {
    await writeTinyXlModel(join(folder(), "xl"), options);
    return join(folder(), "xl");
  };

  test("opens with both text encoders and its settings", async () => {
    const model = await openModelFolder(await xl());
    expect(model.xl).toEqual({ forceZerosForEmptyPrompt: true });
    expect(requireComponent(model, "textEncoder").config).toMatchObject({ hasProjection: false });
    expect(requireComponent(model, "textEncoder2").config).toMatchObject({ hasProjection: true, hiddenAct: "gelu" });
    expect(model.tokenizer2).toBe(join(folder(), "xl", "tokenizer_2"));
    expect(requireComponent(model, "unet").config.textTime).toEqual({ timeEmbedDim: 4, projectionInputDim: 36 });
    // Nothing is enforced on the scheduler, as StableDiffusionPipeline would.
    expect(model.scheduler).toMatchObject({ className: "EulerDiscreteScheduler", stepsOffset: 1 });
  });

  test("is known without an index by its components", async () => {
    const path = await xl({ index: { force_zeros_for_empty_prompt: false } });
    expect((await openModelFolder(path)).xl).toEqual({ forceZerosForEmptyPrompt: false });
    await rm(join(path, "model_index.json"));
    expect((await openModelFolder(path)).xl).toEqual({ forceZerosForEmptyPrompt: true });
  });

  test("has the class of its text encoders from the index, whatever their files say", async () => {
    const path = await xl();
    const file = join(path, "text_encoder_2", "config.json");
    const config = JSON.parse(await readFile(file, "utf8")) as object;
    await writeFile(file, JSON.stringify({ ...config, architectures: ["CLIPModel"] }));
    expect(requireComponent(await openModelFolder(path), "textEncoder2").config.hasProjection).toBe(true);
  });
});

test("null components, settings and components that are not used are no hindrance", async () => {
  const path = await copyOfPipeline();
  const file = join(path, "model_index.json");
  const index = JSON.parse(await readFile(file, "utf8")) as object;
  const more = {
    _name_or_path: "someone/something",
    _diffusers_version: "0.6.0",
    requires_safety_checker: true,
    feature_extractor: ["transformers", "CLIPFeatureExtractor"],
    image_encoder: [null, null],
    later_component: [null, null],
    safety_checker: ["stable_diffusion", "StableDiffusionSafetyChecker"],
  };
  await writeFile(file, JSON.stringify({ ...index, ...more }));
  const model = await openModelFolder(path);
  expect(model.carried).toEqual(["feature_extractor", "safety_checker"]);
  await writeFile(file, JSON.stringify({ ...index, later_component: ["diffusers", "Anything"] }));
  await expect(openModelFolder(path)).rejects.toThrow('"later_component" is no component known here');
});

test("a scheduler of a class that is not here tells its noise schedule, and keeps why it cannot sample itself", async () => {
  const path = await copyOfPipeline();
  const file = join(path, "model_index.json");
  const index = JSON.parse(await readFile(file, "utf8")) as object;
  await writeFile(file, JSON.stringify({ ...index, scheduler: ["diffusers", "HeunDiscreteScheduler"] }));
  const model = await openModelFolder(path);
  expect(requireComponent(model, "unet").config.inChannels).toBe(4);
  const scheduler = requireComponent(model, "scheduler");
  expect(scheduler).toMatchObject({ betaSchedule: "scaled_linear", numTrainTimesteps: 1000 });
  expect(scheduler.refusal?.message).toMatch(/scheduler_config\.json: _class_name/);
});

test("a scheduler without a noise schedule is an error when it is asked for", async () => {
  const path = await copyOfPipeline();
  const file = join(path, "scheduler", "scheduler_config.json");
  await writeFile(file, JSON.stringify({ _class_name: "FlowMatchEulerDiscreteScheduler", shift: 3 }));
  const index = join(path, "model_index.json");
  const scheduler = ["diffusers", "FlowMatchEulerDiscreteScheduler"];
  await writeFile(index, JSON.stringify({ ...(JSON.parse(await readFile(index, "utf8")) as object), scheduler }));
  const model = await openModelFolder(path);
  expect(requireComponent(model, "unet").config.inChannels).toBe(4);
  expect(() => requireComponent(model, "scheduler")).toThrow(/scheduler_config\.json: _class_name/);
});

test("weights of a variant are used where there are no others, and that is noted", async () => {
  const path = await copyOfPipeline();
  const weights = (name: string) => join(path, "unet", `diffusion_pytorch_model${name}.safetensors`);
  expect((await openModelFolder(path)).notes).toEqual([]);
  expect((await openModelFolder(path, { variant: "fp16" })).notes).toHaveLength(3);
  await rename(weights(""), weights(".fp16"));
  const { unet, notes } = await openModelFolder(path);
  expect(unet!.variant).toBe("fp16");
  expect(notes).toEqual([expect.stringMatching(/unet has the weights of variant fp16 alone: they are used/)]);
});

test("a text encoder's file may hold the whole CLIPModel that it was cut out of", async () => {
  const path = join(folder(), "text_encoder");
  await cp(join(cases, "text-encode/sd15-quick-gelu/model"), path, { recursive: true });
  const file = await openSafetensors(join(path, "model.safetensors"));
  const entries = [...file.tensors].map(([name, { dtype, shape }]) => ({
    name,
    dtype,
    shape,
    data: () => file.readFloat32(name),
  }));
  const more = [
    "logit_scale",
    "text_projection.weight",
    "visual_projection.weight",
    "vision_model.pre_layrnorm.bias",
  ].map((name) => ({ name, dtype: "F32" as const, shape: [1], data: new Float32Array(1) }));
  await writeSafetensors(join(folder(), "new.safetensors"), [...entries, ...more]);
  await cp(join(folder(), "new.safetensors"), join(path, "model.safetensors"));
  const { weights } = requireComponent(await openModelFolder(path), "textEncoder");
  expect(weights.tensors.size).toBe([...file.tensors.keys()].filter((name) => !name.endsWith("position_ids")).length);
});

describe("what is wrong is named", () => {
  const unetWeights = "unet/diffusion_pytorch_model.safetensors";

  test.each([
    ["a missing folder", async () => undefined, "no-such-folder", /no-such-folder does not exist; check the path/],
    ["an empty folder", () => mkdir(join(folder(), "empty")), "empty", /empty is not a model folder/],
    [
      "a missing component",
      () => rm(join(folder(), "vae"), { recursive: true }),
      "",
      /vae does not exist.*model_index/,
    ],
    ["missing weights", () => rm(join(folder(), unetWeights)), "", /unet has no weights.*download/],
    ["truncated weights", () => truncate(join(folder(), unetWeights), 100_000), "", /unet.*cut short/],
    ["a missing configuration", () => rm(join(folder(), "vae/config.json")), "", /vae\/config\.json cannot be read/],
  ])("%s", async (_, damage, path, message) => {
    await copyOfPipeline();
    await damage();
    await expect(openModelFolder(join(folder(), path))).rejects.toThrow(message);
  });

  test("an unknown tensor", async () => {
    const path = await copyOfPipeline();
    const file = await openSafetensors(join(path, unetWeights));
    const entries = [...file.tensors].map(([name, { dtype, shape }]) => ({
      name: name === "conv_in.bias" ? "conv_in.bios" : name,
      dtype,
      shape,
      data: () => file.readFloat32(name),
    }));
    await writeSafetensors(join(folder(), "new.safetensors"), entries);
    await cp(join(folder(), "new.safetensors"), join(path, unetWeights));
    await expect(openModelFolder(path)).rejects.toMatchObject({ kind: "corrupt", details: { tensor: "conv_in.bias" } });
  });
});

import { cp, mkdir, readFile, rm, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { useTemporaryFolder } from "../../test/support/temporary-folder.js";
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

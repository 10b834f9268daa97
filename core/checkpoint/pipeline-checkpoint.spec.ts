import { cp, mkdir, readdir, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { useTemporaryFolder } from "../../test/support/temporary-folder.js";
import { writeTinyXlModel } from "../../test/support/tiny-xl-model.js";
import { digestFolder, verifyFolder } from "./manifest.js";
import { openModelFolder, requireComponent } from "./model-folder.js";
import { savePipelineCheckpoint } from "./pipeline-checkpoint.js";
import { roundingNorm } from "./rounding.js";
import { openSafetensors } from "./safetensors.js";
import { readWeights } from "./weights.js";
import { writeSafetensors } from "./write-safetensors.js";

const pipeline = fileURLToPath(new URL("../../test/reference/cases/sample/ddim/model", import.meta.url));
const folder = useTemporaryFolder();

async function trained() {
  const base = await openModelFolder(pipeline);
  const unet = await readWeights(requireComponent(base, "unet").weights);
  unet.get("conv_in.bias")!.fill(0.1);
  return { base, unet };
}

test("a checkpoint is the base's pipeline with the new UNet", async () => {
  const target = join(folder(), "checkpoint");
  const { base, unet } = await trained();
  const manifest = await savePipelineCheckpoint(target, { base, unet });
  await verifyFolder(target, manifest);
  const saved = await openModelFolder(target);
  expect(await readWeights(requireComponent(saved, "unet").weights)).toEqual(unet);
  expect(new Set(await readdir(target))).toEqual(new Set([...(await readdir(pipeline)), "manifest.json"]));
  const before = await digestFolder(pipeline);
  const unchanged = before.files.filter(({ path }) => path !== "unet/diffusion_pytorch_model.safetensors");
  expect(manifest.files).toEqual(expect.arrayContaining([...unchanged]));
  expect(manifest.files).toHaveLength(before.files.length);
});

test("unchanged files are shared with a base on the same file system, and the digest depends on content alone", async () => {
  const { base, unet } = await trained();
  const first = await savePipelineCheckpoint(join(folder(), "first"), { base, unet });
  const again = await openModelFolder(join(folder(), "first"));
  const second = await savePipelineCheckpoint(join(folder(), "second"), { base: again, unet });
  expect(second).toEqual(first);
  const inode = async (name: string) => (await stat(join(folder(), name, "vae/config.json"))).ino;
  expect(await inode("second")).toBe(await inode("first"));
});

test("extra files are kept beside the weights and outside the digest", async () => {
  const { base, unet } = await trained();
  const plain = await savePipelineCheckpoint(join(folder(), "plain"), { base, unet });
  const extra = async (at: string) => {
    await mkdir(join(at, "training_state"));
    await writeFile(join(at, "training_state/step.json"), "7");
  };
  const withState = await savePipelineCheckpoint(join(folder(), "state"), { base, unet, extra });
  expect(withState).toEqual(plain);
  expect(await readFile(join(folder(), "state/training_state/step.json"), "utf8")).toBe("7");
});

test("weights that are missing, unknown, of another size or not finite are not saved", async () => {
  const target = join(folder(), "checkpoint");
  const { base, unet } = await trained();
  const changed = (name: string, values: Float32Array<ArrayBuffer>) => new Map(unet).set(name, values);
  const without = new Map(unet);
  without.delete("conv_in.bias");
  const bias = unet.get("conv_in.bias")!;
  for (const bad of [
    without,
    changed("conv_in.bios", bias),
    changed("conv_in.bias", bias.slice(1)),
    changed(
      "conv_in.bias",
      bias.map(() => Number.NaN),
    ),
  ]) {
    await expect(savePipelineCheckpoint(target, { base, unet: bad })).rejects.toMatchObject({
      kind: "invalid",
      details: { tensor: expect.stringContaining("conv_in.bi") },
    });
  }
  expect(await readdir(folder())).toEqual([]);
});

describe("element types, keys and files are the base's", () => {
  /** The pipeline with its UNet's weights rewritten: in another type, in reverse order. */
  async function baseOf(dtype: "F16" | "BF16", file: string) {
    const path = join(folder(), "base");
    await cp(pipeline, path, { recursive: true });
    const plain = join(path, "unet", "diffusion_pytorch_model.safetensors");
    const source = await openSafetensors(plain);
    const entries = [...source.tensors.keys()].reverse().map((name) => ({
      name,
      dtype,
      shape: source.tensors.get(name)!.shape,
      data: () => source.readFloat32(name),
    }));
    await writeSafetensors(join(path, "unet", "new"), entries, { format: "pt", note: "kept" });
    await rm(plain);
    await rename(join(path, "unet", "new"), join(path, "unet", file));
    return openModelFolder(path);
  }

  test.each([
    ["F16", "diffusion_pytorch_model.fp16.safetensors"],
    ["BF16", "diffusion_pytorch_model.safetensors"],
  ] as const)("for %s in %s", async (dtype, file) => {
    const base = await baseOf(dtype, file);
    const target = join(folder(), "checkpoint");
    const { weights } = requireComponent(base, "unet");
    await savePipelineCheckpoint(target, { base, unet: await readWeights(weights) });
    // Values that have not changed come out as the very bytes that they were.
    const saved = await readFile(join(target, "unet", file));
    expect(saved.equals(await readFile(join(base.path, "unet", file)))).toBe(true);
  });

  test("unless float32 is asked for, which loses nothing", async () => {
    const base = await baseOf("BF16", "diffusion_pytorch_model.safetensors");
    const unet = await readWeights(requireComponent(base, "unet").weights);
    unet.get("conv_in.bias")!.fill(1 + 2 ** -20);
    expect(roundingNorm(requireComponent(base, "unet").weights, unet)).toBeCloseTo(
      2 ** -20 * Math.sqrt(unet.get("conv_in.bias")!.length),
      9,
    );
    await savePipelineCheckpoint(join(folder(), "exact"), { base, unet, dtype: "F32" });
    const saved = requireComponent(await openModelFolder(join(folder(), "exact")), "unet").weights;
    expect(await readWeights(saved)).toEqual(unet);
    expect([...saved.tensors.keys()]).toEqual([...unet.keys()]);
    expect(saved.metadata.get("note")).toBe("kept");
  });

  test("shards are joined in one file", async () => {
    const path = join(folder(), "base");
    await cp(pipeline, path, { recursive: true });
    const name = "diffusion_pytorch_model-00001-of-00001.safetensors";
    const plain = join(path, "unet", "diffusion_pytorch_model.safetensors");
    const weight_map = Object.fromEntries([...(await openSafetensors(plain)).tensors.keys()].map((key) => [key, name]));
    await rename(plain, join(path, "unet", name));
    const index = join(path, "unet", "diffusion_pytorch_model.safetensors.index.json");
    await writeFile(index, JSON.stringify({ weight_map }));
    const base = await openModelFolder(path);
    const unet = await readWeights(requireComponent(base, "unet").weights);
    await savePipelineCheckpoint(join(folder(), "joined"), { base, unet });
    expect(await readdir(join(folder(), "joined", "unet"))).toEqual([
      "config.json",
      "diffusion_pytorch_model.safetensors",
    ]);
  });
});

test("components that nothing here uses come along whole, in whatever formats", async () => {
  const path = join(folder(), "base");
  await cp(pipeline, path, { recursive: true });
  await mkdir(join(path, "safety_checker"));
  await writeFile(join(path, "safety_checker", "pytorch_model.bin"), "pickle");
  await writeFile(join(path, "README.md"), "not part of a model");
  const index = JSON.parse(await readFile(join(path, "model_index.json"), "utf8")) as object;
  const safety_checker = ["stable_diffusion", "StableDiffusionSafetyChecker"];
  await writeFile(join(path, "model_index.json"), JSON.stringify({ ...index, safety_checker }));
  const base = await openModelFolder(path);
  const target = join(folder(), "checkpoint");
  await savePipelineCheckpoint(target, { base, unet: await readWeights(requireComponent(base, "unet").weights) });
  expect(await readFile(join(target, "safety_checker", "pytorch_model.bin"), "utf8")).toBe("pickle");
  expect(await readdir(target)).not.toContain("README.md");
});

test("what the base's index names and the base has not is null in the checkpoint's, all else as it was", async () => {
  const path = join(folder(), "sparse");
  await cp(pipeline, path, { recursive: true });
  const index = JSON.parse(await readFile(join(path, "model_index.json"), "utf8")) as object;
  const named = { ...index, feature_extractor: ["transformers", "CLIPImageProcessor"], note: "kept" };
  await writeFile(join(path, "model_index.json"), JSON.stringify(named));
  const base = await openModelFolder(path);
  const target = join(folder(), "checkpoint");
  await savePipelineCheckpoint(target, { base, unet: await readWeights(requireComponent(base, "unet").weights) });
  const saved = JSON.parse(await readFile(join(target, "model_index.json"), "utf8")) as unknown;
  expect(saved).toEqual({ ...named, feature_extractor: [null, null] });
});

test("an SDXL checkpoint holds both text encoders and tokenizers byte for byte", async () => {
  const path = join(folder(), "xl");
  await writeTinyXlModel(path);
  const base = await openModelFolder(path);
  const unet = await readWeights(requireComponent(base, "unet").weights);
  unet.get("add_embedding.linear_1.bias")!.fill(0.5);
  const target = join(folder(), "checkpoint");
  const manifest = await savePipelineCheckpoint(target, { base, unet });
  const unchanged = (await digestFolder(path)).files.filter(({ path: file }) => !file.startsWith("unet/diffusion"));
  expect(manifest.files).toEqual(expect.arrayContaining([...unchanged]));
  const saved = await openModelFolder(target);
  expect(await readWeights(requireComponent(saved, "unet").weights)).toEqual(unet);
  expect(saved.xl).toEqual(base.xl);
});

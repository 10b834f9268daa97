import { mkdir, readdir, readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { useTemporaryFolder } from "../../test/support/temporary-folder.js";
import { digestFolder, verifyFolder } from "./manifest.js";
import { openModelFolder, requireComponent } from "./model-folder.js";
import { savePipelineCheckpoint } from "./pipeline-checkpoint.js";
import { readWeights } from "./weights.js";

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

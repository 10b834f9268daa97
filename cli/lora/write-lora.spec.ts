import { join } from "node:path";
import { readLora, writeLora } from "../../core/checkpoint/lora-file.js";
import { openModelFolder, requireComponent } from "../../core/checkpoint/model-folder.js";
import { openSafetensors } from "../../core/checkpoint/safetensors.js";
import { readWeights } from "../../core/checkpoint/weights.js";
import { chooseLoraLayers, createLora } from "../../core/models/lora.js";
import { unetParameterShapes } from "../../core/models/parameter-shapes.js";
import { commandLine } from "../../test/support/run-command-line.js";
import { useTemporaryFolder } from "../../test/support/temporary-folder.js";
import { writeTinyModel } from "../../test/support/tiny-model.js";

const folder = useTemporaryFolder();
const path = (name: string) => join(folder(), name);

/** A model, and a LoRA for two of its layers in `lora.safetensors`. */
async function prepare() {
  await writeTinyModel(path("model"));
  const { config } = requireComponent(await openModelFolder(path("model")), "unet");
  const shapes = unetParameterShapes(config);
  const layers = chooseLoraLayers(shapes, {
    rank: 2,
    alpha: 4,
    targetModules: ["conv_in", "mid_block.attentions.0.proj_in"],
  });
  const lora = createLora(shapes, layers, () => () => 0.9);
  for (const [name, values] of lora.weights) if (name.endsWith("lora_B.weight")) values.fill(0.25);
  await writeLora(path("lora.safetensors"), lora, shapes);
  return { lora, shapes };
}
const weightsOf = async (model: string) =>
  readWeights(requireComponent(await openModelFolder(path(model)), "unet").weights);

test("a LoRA is merged into a model's folder, and taken out again but for rounding", async () => {
  await prepare();
  const model = ["--model", path("model"), "--lora", path("lora.safetensors")];
  const merged = await commandLine("lora", "merge", ...model, "--lora-scale", "0.5", "--out", path("merged"), "--json");
  expect(merged).toMatchObject({ code: 0, err: "" });
  expect(JSON.parse(merged.out)).toEqual({ folder: path("merged"), digest: expect.stringMatching(/^sha256:/) });
  const from = ["--model", path("merged"), "--lora", path("lora.safetensors")];
  expect(await commandLine("lora", "unmerge", ...from, "--lora-scale", "0.5", "--out", path("apart"))).toMatchObject({
    code: 0,
  });

  const [before, during, after] = await Promise.all(["model", "merged", "apart"].map(weightsOf));
  // 0.5 · (alpha / rank = 2) · two rows of 0.25 · 0.8 / √fan-in, which is 36
  const change = 0.5 * 2 * 2 * 0.25 * (0.8 / Math.sqrt(36));
  for (const [i, value] of before!.get("conv_in.weight")!.entries()) {
    expect(during!.get("conv_in.weight")![i]! - value).toBeCloseTo(change, 6);
    expect(after!.get("conv_in.weight")![i]).toBeCloseTo(value, 6);
  }
  expect(during!.get("conv_out.weight")).toEqual(before!.get("conv_out.weight"));
});

test.each([
  ["peft", "unet.conv_in.lora_A.weight"],
  ["diffusers", "unet.conv_in.lora.down.weight"],
])("a LoRA is written under %s's names, and is the same", async (keys, name) => {
  const { lora, shapes } = await prepare();
  const args = [
    "--model",
    path("model"),
    "--lora",
    path("lora.safetensors"),
    "--keys",
    keys,
    "--out",
    path("other.safetensors"),
  ];
  expect((await commandLine("lora", "convert", ...args)).out).toBe(`${path("other.safetensors")}: 2 layers\n`);
  expect([...(await openSafetensors(path("other.safetensors"))).tensors.keys()]).toContain(name);
  expect(await readLora(path("other.safetensors"), shapes)).toEqual(lora);
});

test("a LoRA of another model is refused by file and tensor", async () => {
  await prepare();
  const args = ["--model", path("model"), "--lora", path("model"), "--out", path("merged")];
  const { code, out } = await commandLine("lora", "merge", ...args, "--json");
  expect(code).toBe(1);
  expect(JSON.parse(out)).toMatchObject({
    error: { kind: "notFound", file: join(path("model"), "pytorch_lora_weights.safetensors") },
  });
});

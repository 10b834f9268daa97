import { join } from "node:path";
import { loadCase } from "../../test/reference/cases.js";
import { useTemporaryFolder } from "../../test/support/temporary-folder.js";
import { createLora } from "../models/lora.js";
import { readLora } from "./lora-file.js";
import { mergedWeights } from "./lora-merge.js";
import { openModelFolder, requireComponent } from "./model-folder.js";
import { openSafetensors, type SafetensorsFile } from "./safetensors.js";
import { readWeights } from "./weights.js";
import { writeSafetensors } from "./write-safetensors.js";

const folder = useTemporaryFolder();
const reference = loadCase("lora/scaled");
const { weights } = requireComponent(await openModelFolder(reference.model("unet")), "unet");
const shapes = new Map([...weights.tensors].map(([name, { shape }]) => [name, shape]));
const lora = await readLora(reference.model("lora"), shapes);

const bytes = (values: ArrayBufferView) => Buffer.from(values.buffer, values.byteOffset, values.byteLength);

/** Names of the tensors that are not the same, to the bit. */
async function differing(file: SafetensorsFile): Promise<Set<string>> {
  const [before, after] = [await readWeights(weights), await readWeights(file)];
  return new Set([...before.keys()].filter((name) => !bytes(before.get(name)!).equals(bytes(after.get(name)!))));
}

test("the weights of adapted layers change, all others stay, however they are read", async () => {
  const merged = mergedWeights(weights, lora);
  const changed = [...lora.layers.keys()].map((module) => `${module}.weight`);
  expect(await differing(merged)).toEqual(new Set(changed));
  const all = await readWeights(merged);
  for (const name of [changed[0]!, "conv_in.weight"]) {
    expect(bytes(await merged.readFloat32(name)).equals(bytes(all.get(name)!))).toBe(true);
    expect(bytes(await merged.read(name)).equals(bytes(all.get(name)!))).toBe(true);
  }
});

test("a scale of 0 gives the file's weights to the bit", async () => {
  expect(await differing(mergedWeights(weights, lora, 0))).toEqual(new Set());
});

test("merged weights come apart again within two roundings", async () => {
  const [name] = [...lora.layers.keys()].map((module) => `${module}.weight`);
  const path = join(folder(), "merged.safetensors");
  const merged = await mergedWeights(weights, lora).readFloat32(name!);
  await writeSafetensors(path, [{ name: name!, dtype: "F32", shape: shapes.get(name!)!, data: merged }]);
  const apart = await mergedWeights(await openSafetensors(path), lora, -1).readFloat32(name!);
  const before = await weights.readFloat32(name!);
  const half = 2 ** -24;
  for (const [i, value] of apart.entries()) {
    expect(Math.abs(value - before[i]!)).toBeLessThanOrEqual(
      half * (Math.abs(merged[i]!) + Math.abs(before[i]!)) * 1.001,
    );
  }
});

test("weights in half precision are merged in float32", async () => {
  const path = join(folder(), "half.safetensors");
  const data = Float32Array.of(1, 2, 3, 4);
  await writeSafetensors(path, [{ name: "a.weight", dtype: "F16", shape: [2, 2], data }]);
  const small = createLora(new Map([["a.weight", [2, 2]]]), new Map([["a", { rank: 1, alpha: 1 }]]), () => () => 1);
  small.weights.get("a.lora_B.weight")!.set([1e-4, 0]);
  const merged = mergedWeights(await openSafetensors(path), small);
  const [a] = small.weights.get("a.lora_A.weight")!;
  expect(await merged.readFloat32("a.weight")).toEqual(Float32Array.of(1 + 1e-4 * a!, 2 + 1e-4 * a!, 3, 4));
  expect(merged.tensors.get("a.weight")).toMatchObject({ dtype: "F32", byteLength: 16 });
});

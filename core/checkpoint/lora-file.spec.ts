import { join } from "node:path";
import { useTemporaryFolder } from "../../test/support/temporary-folder.js";
import type { Shape } from "../graph/value.js";
import { sizeOf } from "../graph/value.js";
import { createLora, type LoraAdapter } from "../models/lora.js";
import { LORA_FILE, readLora, writeLora } from "./lora-file.js";
import { openSafetensors } from "./safetensors.js";
import { type TensorEntry, writeSafetensors } from "./write-safetensors.js";

const folder = useTemporaryFolder();

/** Of a model with one attention layer, a convolution and a norm. */
const shapes = new Map<string, Shape>([
  ["block.attn1.to_q.weight", [6, 4]],
  ["block.attn1.to_out.0.weight", [4, 6]],
  ["block.attn1.to_out.0.bias", [4]],
  ["block.conv1.weight", [5, 3, 3, 3]],
  ["block.norm1.weight", [4]],
]);
const TO_Q = "block.attn1.to_q";

/** An adapter with other ranks and alphas in each layer, or the same in all. */
function adapter(layers: Readonly<Record<string, { rank: number; alpha: number }>>): LoraAdapter {
  let i = 0;
  const made = createLora(shapes, new Map(Object.entries(layers)), () => () => (i++ % 97) / 97);
  for (const values of made.weights.values()) values.set(values.map((value, at) => value + at));
  return made;
}

const tensor = (name: string, shape: Shape, data?: Float32Array): TensorEntry => ({
  name,
  dtype: "F32",
  shape,
  data: data ?? Float32Array.from({ length: sizeOf(shape) }, (_, i) => i + 1),
});
/** A and B of `to_q` at rank 2. */
const pair = (a = `unet.${TO_Q}.lora_A.weight`, b = `unet.${TO_Q}.lora_B.weight`) => [
  tensor(a, [2, 4]),
  tensor(b, [6, 2]),
];

async function write(entries: readonly TensorEntry[], metadata?: Record<string, unknown> | string): Promise<string> {
  const path = join(folder(), LORA_FILE);
  const text = typeof metadata === "string" ? metadata : JSON.stringify(metadata);
  await writeSafetensors(path, entries, metadata === undefined ? {} : { lora_adapter_metadata: text });
  return path;
}

describe.each(["peft", "diffusers"] as const)("names of %s", (keys) => {
  test("come back as they were written, with each layer's rank and alpha", async () => {
    const written = adapter({
      [TO_Q]: { rank: 2, alpha: 2 },
      "block.attn1.to_out.0": { rank: 2, alpha: 7.5 },
      "block.conv1": { rank: 3, alpha: 2 },
    });
    await writeLora(join(folder(), LORA_FILE), written, shapes, { keys, metadata: { of: "a model" } });
    expect(await readLora(folder(), shapes)).toEqual(written);
    const file = await openSafetensors(join(folder(), LORA_FILE));
    expect(file.metadata.get("of")).toBe("a model");
    expect(file.metadata.get("format")).toBe("pt");
    const [a, b] = keys === "peft" ? ["lora_A", "lora_B"] : ["lora.down", "lora.up"];
    expect(file.tensors.get(`unet.block.conv1.${a}.weight`)!.shape).toEqual([3, 3, 3, 3]);
    expect(file.tensors.get(`unet.block.conv1.${b}.weight`)!.shape).toEqual([5, 3, 1, 1]);
  });
});

test.each([
  [`unet.${TO_Q}.lora_A.weight`, `unet.${TO_Q}.lora_B.weight`],
  [`unet.${TO_Q}.lora.down.weight`, `unet.${TO_Q}.lora.up.weight`],
  ["unet.block.attn1.processor.to_q_lora.down.weight", "unet.block.attn1.processor.to_q_lora.up.weight"],
  ["block.attn1.processor.to_q_lora.down.weight", "block.attn1.processor.to_q_lora.up.weight"],
])("%s is an A, its alpha the rank where nothing is said", async (a, b) => {
  const lora = await readLora(await write(pair(a, b)), shapes);
  expect([...lora.layers]).toEqual([[TO_Q, { rank: 2, alpha: 2 }]]);
  expect([...lora.weights.keys()]).toEqual([`${TO_Q}.lora_A.weight`, `${TO_Q}.lora_B.weight`]);
  expect(lora.weights.get(`${TO_Q}.lora_A.weight`)).toEqual(Float32Array.of(1, 2, 3, 4, 5, 6, 7, 8));
});

test("the processors' to_out_lora is to_out.0", async () => {
  const name = (side: string) => `unet.block.attn1.processor.to_out_lora.${side}.weight`;
  const lora = await readLora(await write([tensor(name("down"), [2, 6]), tensor(name("up"), [4, 2])]), shapes);
  expect([...lora.layers.keys()]).toEqual(["block.attn1.to_out.0"]);
});

test("adapters in half precision are read", async () => {
  const path = join(folder(), "half.safetensors");
  await writeSafetensors(
    path,
    pair().map((entry) => ({ ...entry, dtype: "F16" as const })),
  );
  expect((await readLora(path, shapes)).weights.get(`${TO_Q}.lora_B.weight`)![11]).toBe(12);
});

const settings = { "unet.r": 2, "unet.lora_alpha": 8, "text_encoder.r": 4 };
test.each<[string, Record<string, unknown>, readonly TensorEntry[], number]>([
  ["lora_alpha", settings, [], 8],
  ["a pattern that the layer's name ends with", { ...settings, "unet.alpha_pattern": { to_q: 3 } }, [], 3],
  ["a pattern for another layer", { ...settings, "unet.alpha_pattern": { o_q: 3, "^to_q": 5 } }, [], 8],
  ["the layer's whole name", { ...settings, "unet.alpha_pattern": { [`^${TO_Q}`]: 5 } }, [], 5],
  ["a rank of its own", { ...settings, "unet.r": 9, "unet.rank_pattern": { to_q: 2 } }, [], 8],
  ["rank-stabilised scaling", { ...settings, "unet.use_rslora": true }, [], 8 * Math.SQRT2],
  ["a tensor", settings, [tensor(`unet.${TO_Q}.alpha`, [], Float32Array.of(6))], 6],
  ["another model's settings alone", { "text_encoder.r": 4 }, [], 2],
])("alpha can come from %s", async (_, metadata, more, alpha) => {
  const lora = await readLora(await write([...pair(), ...more], metadata), shapes);
  expect(lora.layers.get(TO_Q)).toEqual({ rank: 2, alpha });
});

const [A, B] = pair() as [TensorEntry, TensorEntry];
test.each<[string, readonly TensorEntry[], string]>([
  ["without B", [A], 'lora_A.weight" has no counterpart'],
  ["without A", [B], 'lora_B.weight" has no counterpart'],
  ["with an alpha alone", [tensor(`unet.${TO_Q}.alpha`, [])], 'alpha" has no counterpart'],
  ["for a layer that the model has not", pair("unet.x.lora_A.weight", "unet.x.lora_B.weight"), 'is for "x"'],
  ["for a norm", pair("unet.block.norm1.lora_A.weight", "unet.block.norm1.lora_B.weight"), 'is for "block.norm1"'],
  ["with an A of another width", [tensor(A.name, [2, 5]), B], "has the shape [2, 5], the UNet makes it [2, 4]"],
  ["with a B of another rank", [A, tensor(B.name, [6, 3])], "has the shape [6, 3], the UNet makes it [6, 2]"],
  ["with convolutions for a linear layer", [tensor(A.name, [2, 4, 1, 1]), B], "the UNet makes it [2, 4]"],
  ["of rank 0", [tensor(A.name, [0, 4]), tensor(B.name, [6, 0])], "has no rows"],
  ["with a scalar for A", [tensor(A.name, []), B], "has no rows"],
  ["with several alphas", [A, B, tensor(`unet.${TO_Q}.alpha`, [2])], "expected one number"],
  ["with an alpha that is none", [A, B, tensor(`unet.${TO_Q}.alpha`, [], Float32Array.of(Number.NaN))], "holds NaN"],
  ["with infinite weights", [A, tensor(B.name, [6, 2], new Float32Array(12).fill(1 / 0))], "holds Infinity"],
  ["with integers", [A, { ...B, dtype: "I32", data: new Int32Array(12) }], "expected floating point numbers"],
  ["with one A by two names", [A, B, tensor(`unet.${TO_Q}.lora.down.weight`, [2, 4])], "is the same as"],
  [
    "for a text encoder",
    [A, B, tensor("text_encoder.x.lora_A.weight", [2, 4])],
    "text encoder, which is not supported",
  ],
  [
    "as kohya names it",
    [tensor("lora_unet_x.lora_down.weight", [2, 4])],
    "by any of diffusers' names; have diffusers write",
  ],
  [
    "with DoRA's magnitudes",
    [A, B, tensor(`unet.${TO_Q}.lora_magnitude_vector`, [6])],
    "is no part of a UNet's adapter",
  ],
  ["of full weights", [tensor(`unet.${TO_Q}.weight`, [6, 4])], "is no part of a UNet's adapter"],
])("a file %s is refused by tensor and cause", async (_, entries, problem) => {
  const path = await write(entries);
  const error = { kind: "corrupt", details: { file: path, tensor: expect.any(String) } };
  await expect(readLora(path, shapes)).rejects.toMatchObject({ ...error, message: expect.stringContaining(path) });
  await expect(readLora(path, shapes)).rejects.toThrow(problem);
});

test.each<[string, Record<string, unknown> | string, string]>([
  ["are not JSON", "{", "is not JSON"],
  ["are no object", "[1]", "is not an object"],
  ["lack the rank", { "unet.lora_alpha": 1 }, "unet.r: "],
  ["say another rank", { ...settings, "unet.r": 4 }, "has the rank 2, lora_adapter_metadata says 4"],
  ["ask for DoRA", { ...settings, "unet.use_dora": true }, "unet.use_dora: "],
  ["hold a regular expression", { ...settings, "unet.alpha_pattern": { "(a+)+$": 1 } }, "unet.alpha_pattern"],
])("settings that %s are refused", async (_, metadata, problem) => {
  const path = await write(pair(), metadata);
  await expect(readLora(path, shapes)).rejects.toMatchObject({ kind: "corrupt", details: { file: path } });
  await expect(readLora(path, shapes)).rejects.toThrow(problem);
});

test("an empty file, a missing one, and a folder without one are refused by path", async () => {
  await expect(readLora(await write([]), shapes)).rejects.toThrow("holds no adapter of a UNet");
  await expect(readLora(join(folder(), "no"), shapes)).rejects.toMatchObject({ kind: "notFound" });
  const empty = join(folder(), "..");
  await expect(readLora(empty, shapes)).rejects.toMatchObject({ details: { file: join(empty, LORA_FILE) } });
});

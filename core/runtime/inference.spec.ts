import { mkdir, symlink, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { useTemporaryFolder } from "../../test/support/temporary-folder.js";
import { openSafetensors } from "../checkpoint/safetensors.js";
import { openSafetensorsSet } from "../checkpoint/safetensors-set.js";
import { writeSafetensors } from "../checkpoint/write-safetensors.js";
import { concat, input } from "../graph/ops/index.js";
import { conv2d, embedding, linear, linearParts } from "../nn/layers.js";
import type { Parameters } from "../nn/parameters.js";
import { createInference } from "./inference.js";

const folder = useTemporaryFolder();
// Each is a float16 and a bfloat16 too.
const WEIGHT = Float32Array.of(0.5, -2, 0.25, 3, 1, -0.125);
const BIAS = Float32Array.of(1, -4);

const build = (p: Parameters) => ({ y: linear(p.at("layer"), input("x", [1, 3]), 2) });
/** The same, one output from each row of the weight. */
const buildParts = (p: Parameters) => {
  const [a, b] = linearParts(p.at("layer"), input("x", [1, 3]), [1, 1]);
  return { y: concat([a!, b!], 1) };
};

type Stored = "F32" | "F16" | "BF16" | "F64";
async function run(weight: Stored, bias: Stored, model: typeof build = build) {
  const path = join(folder(), "model.safetensors");
  await writeSafetensors(path, [
    { name: "layer.bias", dtype: bias, shape: [2], data: BIAS },
    { name: "layer.weight", dtype: weight, shape: [2, 3], data: WEIGHT },
  ]);
  const session = await createInference(model, await openSafetensors(path));
  const { y } = await session.run({ x: Float32Array.of(1, 2, 4) });
  await session.release();
  return [...y!];
}

test.each([
  ["F32", "F32"],
  ["F16", "F16"],
  ["BF16", "F32"],
  ["F32", "F16"],
  ["F64", "BF16"],
] as const)("weights in %s with biases in %s compute the same", async (weight, bias) => {
  const expected = [0.5 - 4 + 1 + 1, 3 + 2 - 0.5 - 4];
  expect(await run(weight, bias)).toEqual(expected);
  expect(await run(weight, bias, buildParts)).toEqual(expected);
});

test("a convolution's kernel and an embedding's table in F16 compute the same as in F32", async () => {
  const both = (p: Parameters) => ({
    y: conv2d(p.at("conv"), input("x", [1, 2, 2, 2]), 3, { kernel: 1 }),
    rows: embedding(p.at("table"), input("ids", [2], "int64"), 3, 2),
  });
  const results: number[][][] = [];
  for (const dtype of ["F32", "F16"] as const) {
    const path = join(folder(), `${dtype}.safetensors`);
    await writeSafetensors(path, [
      { name: "conv.weight", dtype, shape: [3, 2, 1, 1], data: WEIGHT },
      { name: "conv.bias", dtype, shape: [3], data: Float32Array.of(1, -4, 0.5) },
      { name: "table.weight", dtype, shape: [3, 2], data: WEIGHT },
    ]);
    const session = await createInference(both, await openSafetensors(path));
    const { y, rows } = await session.run({
      x: Float32Array.of(1, 2, 4, 8, -1, -2, -4, -8),
      ids: BigInt64Array.of(2n, 0n),
    });
    await session.release();
    results.push([[...y!], [...rows!]]);
  }
  expect(results[1]).toEqual(results[0]);
  expect(results[1]![1]).toEqual([1, -0.125, 0.5, -2]);
});

test.each([
  ["that are links, as in caches of downloaded models", ["blobs/1", "blobs/2"]],
  ["that lie in several folders", ["blobs/1", "other/2"]],
])("weights in files %s are found", async (_, targets) => {
  const weight_map: Record<string, string> = {};
  for (const [i, [name, shape, data]] of [
    ["layer.weight", [2, 3], WEIGHT] as const,
    ["layer.bias", [2], BIAS] as const,
  ].entries()) {
    const target = join(folder(), targets[i]!);
    await mkdir(dirname(target), { recursive: true });
    await writeSafetensors(target, [{ name, dtype: "F32", shape, data }]);
    weight_map[name] = `model-${i}.safetensors`;
    await mkdir(join(folder(), "snapshot"), { recursive: true });
    await symlink(target, join(folder(), "snapshot", weight_map[name]));
  }
  const index = join(folder(), "snapshot", "model.safetensors.index.json");
  await writeFile(index, JSON.stringify({ weight_map }));
  const { weights } = await openSafetensorsSet(join(folder(), "snapshot"), "model");
  const session = await createInference(build, weights);
  const { y } = await session.run({ x: Float32Array.of(1, 2, 4) });
  await session.release();
  expect([...y!]).toEqual([-1.5, 0.5]);
});

test("a missing tensor and one of another shape are named", async () => {
  const path = join(folder(), "model.safetensors");
  await writeSafetensors(path, [{ name: "layer.weight", dtype: "F32", shape: [3, 2], data: WEIGHT }]);
  await expect(createInference(build, await openSafetensors(path))).rejects.toThrow(
    /"layer\.weight" has shape \[3,2\]/,
  );
  await writeSafetensors(path, [{ name: "layer.weight", dtype: "F32", shape: [2, 3], data: WEIGHT }]);
  await expect(createInference(build, await openSafetensors(path))).rejects.toThrow(/no tensor "layer\.bias"/);
});

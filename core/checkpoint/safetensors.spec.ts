import { writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { useTemporaryFolder } from "../../test/support/temporary-folder.js";
import { openSafetensors } from "./safetensors.js";
import { openSafetensorsSet } from "./safetensors-set.js";
import { type TensorEntry, writeSafetensors } from "./write-safetensors.js";

const folder = useTemporaryFolder();
const values = Float32Array.of(1, -2.5, 0.333, 65504, -0, 7);
const floats = (dtype: TensorEntry["dtype"]): TensorEntry => ({ name: dtype, dtype, shape: [2, 3], data: values });

test("what was written is read back, in order, with metadata, from where the header says", async () => {
  const path = join(folder(), "a.safetensors");
  const ids: TensorEntry = { name: "__proto__", dtype: "I64", shape: [], data: BigInt64Array.of(-5n) };
  const late: TensorEntry = { ...floats("F32"), name: "late", data: () => Promise.resolve(values) };
  await writeSafetensors(path, [floats("F32"), ids, late], { format: "pt" });
  const file = await openSafetensors(path);
  expect([...file.tensors.keys()]).toEqual(["F32", "__proto__", "late"]);
  expect([...file.metadata]).toEqual([["format", "pt"]]);
  expect(await file.readFloat32("F32")).toEqual(values);
  expect(await file.readFloat32("late")).toEqual(values);
  expect(new BigInt64Array((await file.read("__proto__")).buffer)).toEqual(BigInt64Array.of(-5n));
  expect(file.tensors.get("F32")).toMatchObject({ file: path, dtype: "F32", shape: [2, 3], byteLength: 24 });
  expect(file.tensors.get("F32")!.offset % 8).toBe(0);
});

test("float32 values are rounded to the other floating-point formats and converted back", async () => {
  const path = join(folder(), "a.safetensors");
  await writeSafetensors(path, [floats("F16"), floats("BF16"), floats("F64")]);
  const file = await openSafetensors(path);
  expect(await file.readFloat32("F64")).toEqual(values);
  const errors = async (name: string) => (await file.readFloat32(name)).map((got, i) => Math.abs(got / values[i]! - 1));
  expect(Math.max(...(await errors("F16")).filter((error) => !Number.isNaN(error)))).toBeLessThan(2 ** -11);
  expect(Math.max(...(await errors("BF16")).filter((error) => !Number.isNaN(error)))).toBeLessThan(2 ** -8);
});

test("reading integers as floats, an absent tensor, and an absent file are refused by name", async () => {
  const path = join(folder(), "a.safetensors");
  await writeSafetensors(path, [{ name: "ids", dtype: "I32", shape: [1], data: Int32Array.of(1) }]);
  const file = await openSafetensors(path);
  await expect(file.readFloat32("ids")).rejects.toMatchObject({ kind: "corrupt", details: { tensor: "ids" } });
  await expect(file.read("toString")).rejects.toMatchObject({ kind: "notFound", details: { tensor: "toString" } });
  await expect(openSafetensors(`${path}.no`)).rejects.toMatchObject({ kind: "notFound" });
});

test("a repeated name and data of another size are not written", async () => {
  const path = join(folder(), "a.safetensors");
  await expect(writeSafetensors(path, [floats("F32"), floats("F32")])).rejects.toMatchObject({ kind: "invalid" });
  const short = { ...floats("F32"), data: values.subarray(1) };
  await expect(writeSafetensors(path, [short])).rejects.toMatchObject({ kind: "invalid", details: { tensor: "F32" } });
});

describe("a set of shards", () => {
  const shards = async (weightMap: Record<string, unknown>) => {
    await writeSafetensors(join(folder(), "model-1.safetensors"), [{ ...floats("F32"), name: "a" }]);
    await writeSafetensors(join(folder(), "model-2.safetensors"), [{ ...floats("F32"), name: "b" }]);
    await writeFile(join(folder(), "model.safetensors.index.json"), JSON.stringify({ weight_map: weightMap }));
    return (await openSafetensorsSet(folder(), "model")).weights;
  };

  test("reads as one file", async () => {
    const set = await shards({ a: "model-1.safetensors", b: "model-2.safetensors" });
    expect([...set.tensors.keys()]).toEqual(["a", "b"]);
    expect(await set.readFloat32("b")).toEqual(values);
    expect(set.tensors.get("b")!.file).toBe(join(folder(), "model-2.safetensors"));
  });

  test("whose index and shards disagree is refused", async () => {
    const both = { a: "model-1.safetensors", b: "model-2.safetensors" };
    await expect(shards({ a: both.a })).resolves.toBeDefined();
    await expect(shards({ ...both, c: both.a })).rejects.toMatchObject({ kind: "corrupt", details: { tensor: "c" } });
    await expect(shards({ a: both.b })).rejects.toMatchObject({ kind: "corrupt" });
  });
});

describe("variants", () => {
  const write = (...names: string[]) =>
    Promise.all(names.map((name) => writeSafetensors(join(folder(), name), [floats("F16")])));
  const open = async (variant?: string) => {
    const { weights, variant: found } = await openSafetensorsSet(folder(), "model", variant);
    return [basename(weights.path), found];
  };

  test("are opened when they are asked for, and the weights without one otherwise", async () => {
    await write("model.safetensors", "model.fp16.safetensors");
    expect(await open()).toEqual(["model.safetensors", undefined]);
    expect(await open("fp16")).toEqual(["model.fp16.safetensors", "fp16"]);
    expect(await open("bf16")).toEqual(["model.safetensors", undefined]);
  });

  test("are opened unasked where there is nothing else, also in shards", async () => {
    await write("model.fp16-00001-of-00001.safetensors");
    const index = { weight_map: { F16: "model.fp16-00001-of-00001.safetensors" } };
    await writeFile(join(folder(), "model.safetensors.index.fp16.json"), JSON.stringify(index));
    expect(await open()).toEqual(["model.safetensors.index.fp16.json", "fp16"]);
    await write("model.fp16.safetensors");
    expect(await open()).toEqual(["model.fp16.safetensors", "fp16"]);
  });

  test("are to be chosen from where there are several", async () => {
    await write("model.fp16.safetensors", "model.non_ema.safetensors");
    await expect(open()).rejects.toThrow(/several variants.*\(fp16, non_ema\)/);
    expect(await open("non_ema")).toEqual(["model.non_ema.safetensors", "non_ema"]);
  });

  test("and weights of other formats are told apart from none", async () => {
    await expect(open()).rejects.toThrow(/has no weights.*download/);
    await writeFile(join(folder(), "model.bin"), "");
    await expect(open("fp16")).rejects.toThrow(/convert model\.bin/);
  });
});

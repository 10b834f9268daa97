import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { loadCase } from "../../../test/reference/cases.js";
import { useTemporaryFolder } from "../../../test/support/temporary-folder.js";
import type { TensorEntry } from "../write-safetensors.js";
import { openTorchFile } from "./torch-file.js";
import { type PickledTensor, pickleTensors } from "./write-pickle.js";
import { writeTorchFile } from "./write-torch-file.js";
import { writeZip } from "./write-zip.js";

const folder = useTemporaryFolder();
const values = Float32Array.of(1, -2.5, 0.5, 65504, -0, 7);
const tensor = (dtype: TensorEntry["dtype"], data: ArrayBufferView = values): TensorEntry => ({
  name: `a.${dtype}`,
  dtype,
  shape: [2, 3],
  data,
});

test("tensors are found at their places, with and without an outer dict, in every float format", async () => {
  for (const under of [undefined, "state_dict"]) {
    const path = join(folder(), `${under}.pt`);
    await writeTorchFile(path, [tensor("F32"), tensor("F16"), tensor("BF16"), tensor("F64")], under);
    const file = await openTorchFile(path);
    expect([...file.tensors.keys()]).toEqual(["a.F32", "a.F16", "a.BF16", "a.F64"]);
    expect(file.tensors.get("a.F16")).toMatchObject({ file: path, dtype: "F16", shape: [2, 3], byteLength: 12 });
    expect(file.tensors.get("a.F16")!.offset % 64).toBe(0);
    for (const name of ["a.F32", "a.F16", "a.F64"]) expect(await file.readFloat32(name)).toEqual(values);
  }
});

/** A file whose pickle is as given, and whose one storage "0" holds the values as F32. */
async function writeRaw(pickle: Uint8Array, storage = new Uint8Array(values.buffer)): Promise<string> {
  const path = join(folder(), "raw.pt");
  await writeZip(path, [
    { name: "raw/data.pkl", data: () => pickle },
    { name: "raw/data/0", data: () => storage },
  ]);
  return path;
}

const view = (name: string, fields: Partial<PickledTensor>): PickledTensor => ({
  name,
  dtype: "F32",
  shape: [2, 3],
  storage: { key: "0", size: 6 },
  ...fields,
});

test("views share a storage: transposed, sliced, offset and empty ones", async () => {
  const tensors = [
    view("whole", {}),
    view("transposed", { shape: [3, 2], strides: [1, 3] }),
    view("column", { shape: [2, 1], strides: [3, 1], offset: 1 }),
    view("row", { shape: [3], offset: 3 }),
    view("scalar", { shape: [], offset: 5 }),
    view("none", { shape: [0, 3] }),
  ];
  const file = await openTorchFile(await writeRaw(pickleTensors(tensors)));
  const read = async (name: string) => [...(await file.readFloat32(name))];
  expect(await read("whole")).toEqual([...values]);
  expect(await read("transposed")).toEqual([1, 65504, -2.5, -0, 0.5, 7]);
  expect(await read("column")).toEqual([-2.5, -0]);
  expect(await read("row")).toEqual([65504, -0, 7]);
  expect(await read("scalar")).toEqual([7]);
  expect(await read("none")).toEqual([]);
  expect([...file.tensors].filter(([, { strides }]) => strides !== undefined).map(([name]) => name)).toEqual([
    "transposed",
    "column",
  ]);
});

test.each<[string, Partial<PickledTensor>]>([
  ["does not fit", { offset: 1 }],
  ["does not fit", { shape: [2, 3], strides: [4, 1] }],
  ["does not fit", { shape: [2 ** 30, 2 ** 30], strides: [0, 0] }],
  ["does not fit", { shape: [1000], strides: [0] }],
  ["expected storage", { offset: -1 }],
  ["expected storage", { shape: [-2, 3] }],
  ["1 sizes and 2 strides", { shape: [6], strides: [1, 1] }],
  ["has 24 bytes where 4000000000", { shape: [6], storage: { key: "0", size: 1_000_000_000 } }],
  ["no storage", { storage: { key: "1", size: 6 } }],
  ["no storage", { storage: { key: "../data.pkl", size: 6 } }],
])("a view is refused where it %s", async (message, fields) => {
  const path = await writeRaw(pickleTensors([view("x", fields)]));
  await expect(openTorchFile(path)).rejects.toMatchObject({ kind: "corrupt", details: { file: path } });
  await expect(openTorchFile(path)).rejects.toThrow(message);
});

const { parameters, folder: archives } = loadCase("malformed/archives");
const { files } = parameters as { files: { file: string; wrong: string }[] };
const refused = files.filter(({ file }) => file.endsWith(".pt"));

test.each(refused)("$file is refused by name: $wrong", async ({ file }) => {
  const path = join(archives, file);
  await expect(openTorchFile(path)).rejects.toMatchObject({ name: "SpinError", details: { file: path } });
});

test("a call of anything but a tensor's parts is refused by its name", async () => {
  const evil = Buffer.from("\u0080\u0002cos\nsystem\nX\u0004\u0000\u0000\u0000echo\u0085R.", "latin1");
  await expect(openTorchFile(await writeRaw(evil))).rejects.toThrow("GLOBAL at byte 2: names os.system");
  const opaque = Buffer.from("\u0080\u0002c__main__\nConfig\n)\u0081}b.", "latin1");
  await expect(openTorchFile(await writeRaw(opaque))).rejects.toThrow("__main__.Config");
  const storage = Buffer.from("\u0080\u0002ctorch\nFloatStorage\n)R.", "latin1");
  await expect(openTorchFile(await writeRaw(storage))).rejects.toThrow("calls torch.FloatStorage");
});

test.each([
  ["\u0080\u0002\u0095.", "opcode 0x95"],
  ["\u0080\u0004.", "protocol 4"],
  ["\u0080\u0002.", "stack is empty"],
  ["\u0080\u0002t.", "no mark"],
  ["\u0080\u0002}X\u00ff\u00ff\u00ff\u00ffa", "4294967295 bytes are claimed"],
  ["\u0080\u0002h\u0007.", "remembered under 7"],
  ["\u0080\u0002}", "are left"],
  ["\u0080\u0002K\u0001.", "no table"],
  ["\u0080\u0002}.", "no tensors"],
  ["\u0080\u0002}(K\u0001u.", "no value"],
  ["\u0080\u0002Ncos", "GLOBAL"],
  [`\u0080\u0002${"(".repeat(10_000)}${"t".repeat(10_000)}.`, "no table"],
])("a broken pickle is refused (case %#)", async (pickle, message) => {
  await expect(openTorchFile(await writeRaw(Buffer.from(pickle, "latin1")))).rejects.toThrow(message);
});

test("formats of other kinds are told by what they are", async () => {
  const path = join(folder(), "a.pt");
  const attempt = async (content: string | Uint8Array) => {
    await writeFile(path, content);
    return openTorchFile(path).then(
      () => "",
      (error: Error) => error.message,
    );
  };
  expect(await attempt("version https://git-lfs.github.com/spec/v1\n")).toContain("Git LFS");
  expect(await attempt("")).toContain("not a file of torch.save");
  expect(await attempt("<html>not found</html>")).toContain("not a file of torch.save");
  expect(await attempt(`${"\0".repeat(257)}ustar  ${"\0".repeat(300)}`)).toContain("tar format");
  await writeZip(path, [
    { name: "a/data.pkl", data: () => pickleTensors([view("x", {})]) },
    { name: "a/constants.pkl", data: () => new Uint8Array(1) },
  ]);
  await expect(openTorchFile(path)).rejects.toThrow("TorchScript");
  await expect(openTorchFile(join(folder(), "none.pt"))).rejects.toMatchObject({ kind: "notFound" });
});

// Found by mutation: the zip library's own reader threw outside of every promise, which ends the process.
test("an archive that claims a directory beyond 2⁶³ is refused", async () => {
  const path = await writeRaw(pickleTensors([view("x", {})]));
  const bytes = await readFile(path);
  const locator = Buffer.alloc(20, 0xff);
  locator.writeUInt32LE(0x07064b50, 0);
  await writeFile(path, Buffer.concat([bytes.subarray(0, -22), locator, bytes.subarray(-22)]));
  await expect(openTorchFile(path)).rejects.toThrow("beyond its end");
});

import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { useTemporaryFolder } from "../test/support/temporary-folder.js";
import { ConditionEncoder, type EncodingModel } from "./condition-encoder.js";
import { EncodedStore } from "./encoded-store.js";

const folder = useTemporaryFolder();
const disk = (maxBytes = 1_000_000, fingerprint = "sha256:f") => ({
  folder: folder(),
  maxBytes,
  minFreeBytes: 0,
  fingerprint,
});
const tensors = (value: number, size = 4) => ({
  states: { shape: [1, size], data: new Float32Array(size).fill(value) },
});

async function files(): Promise<string[]> {
  const parts = await readdir(folder());
  return (
    await Promise.all(
      parts.map(async (part) => (await readdir(join(folder(), part))).map((name) => join(folder(), part, name))),
    )
  ).flat();
}

test("what one process has kept the next one finds, under the same fingerprint alone", async () => {
  await (await EncodedStore.open(disk())).set("a", tensors(0.25));
  const next = await EncodedStore.open(disk());
  expect(await next.get("a")).toEqual(tensors(0.25));
  expect(await next.get("b")).toBeUndefined();
  expect(await (await EncodedStore.open(disk(1_000_000, "sha256:g"))).get("a")).toBeUndefined();
});

test("a damaged file counts for nothing, and one that was being written is taken away", async () => {
  await (await EncodedStore.open(disk())).set("a", tensors(1));
  const [file] = await files();
  await writeFile(file!, "damaged");
  await writeFile(`${file}.half`, "half");
  const store = await EncodedStore.open(disk());
  expect(await store.get("a")).toBeUndefined();
  expect(await files()).toEqual([file]);
  await store.set("a", tensors(2));
  expect(await store.get("a")).toEqual(tensors(2));
});

test("a file with one flipped bit counts for nothing", async () => {
  const store = await EncodedStore.open(disk());
  await store.set("a", tensors(1));
  const [file] = await files();
  const whole = await readFile(file!);
  for (const at of [whole.length - 1, whole.length - 16, 20]) {
    const flipped = Buffer.from(whole);
    flipped[at]! ^= 1;
    await writeFile(file!, flipped);
    expect(await store.get("a")).toBeUndefined();
  }
  await writeFile(file!, whole);
  expect(await store.get("a")).toEqual(tensors(1));
});

test("over the bound what was used longest ago goes first", async () => {
  const store = await EncodedStore.open(disk(50_000));
  for (let i = 0; i < 4; i++) {
    await store.set(String(i), tensors(i, 3000)); // 12,000 bytes each
    await new Promise((resolve) => setTimeout(resolve, 15));
  }
  expect(await store.get("0")).toBeDefined(); // used just now
  await store.set("4", tensors(4, 3000));
  const left = await Promise.all([0, 1, 2, 3, 4].map(async (i) => (await store.get(String(i))) !== undefined));
  expect(left).toEqual([true, false, false, true, true]); // room is made for more than one
  expect(store.bytes).toBeLessThanOrEqual(50_000);
});

test("an encoder computes what neither memory nor disk has, and gives the same bits from all three", async () => {
  let computed = 0;
  const model = {
    textDigest: "text",
    vaeDigest: "vae",
    pipeline: {
      encodePrompts: async () => {
        computed += 1;
        return tensors(Math.PI);
      },
      zeroNegative: () => undefined,
      encodeImages: async () => {
        computed += 1;
        return { mean: tensors(1).states, logvar: tensors(-2).states };
      },
    },
  } as unknown as EncodingModel;
  const prepare = async () => ({ pixels: tensors(0).states, originalSize: { height: 5, width: 7 } });
  const results: unknown[] = [];
  for (const memory of [1_000_000, 0]) {
    const encoder = new ConditionEncoder(memory, await EncodedStore.open(disk()));
    for (let i = 0; i < 2; i++) {
      results.push([await encoder.prompts(model, ["a"], 0), await encoder.picture(model, "key", prepare)]);
    }
    expect(encoder.takeCounts()).toEqual(memory === 0 ? { hits: 4, misses: 0 } : { hits: 2, misses: 2 });
  }
  expect(computed).toBe(2);
  for (const result of results) expect(result).toEqual(results[0]);
  const other = new ConditionEncoder(0, await EncodedStore.open(disk()));
  await other.prompts({ ...model, textDigest: "another" }, ["a"], 0);
  expect(computed).toBe(3);
});

test("with too little free on the disk nothing more is kept there", async () => {
  const store = await EncodedStore.open({ ...disk(), minFreeBytes: 1e18 });
  await store.set("a", tensors(1));
  expect(await files()).toEqual([]);
});

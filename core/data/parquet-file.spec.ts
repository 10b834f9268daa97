import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { numberedRows, writePickAPic } from "../../bench/data/pick-a-pic.js";
import { mutate } from "../../bench/fuzz/mutate.js";
import { CASES_FOLDER } from "../../test/reference/cases.js";
import { useTemporaryFolder } from "../../test/support/temporary-folder.js";
import { createPhiloxStream } from "../diffusion/philox.js";
import { ParquetFile, parquetProcess } from "./parquet-file.js";
import { indexShard } from "./pick-a-pic-shard.js";

const folder = useTemporaryFolder();
const at = (name: string) => join(folder(), name);

test("a file that keeps the library busy without end is refused by name, and the next one is read", async () => {
  const valid = await readFile(join(CASES_FOLDER, "dataset/zstd/train-00000-of-00001.parquet"));
  // What fuzzing found: a run of some hundred million values.
  await writeFile(
    at("endless.parquet"),
    mutate(valid, createPhiloxStream(1n, { iteration: 0, index: 57, purpose: 0 })),
  );
  await writeFile(at("valid.parquet"), valid);
  const guarded = parquetProcess(1500);
  const index = (name: string) => indexShard(folder(), name, (path) => ParquetFile.open(path, guarded));
  const [endless, whole] = await Promise.allSettled([index("endless.parquet"), index("valid.parquet")]);
  guarded.end();
  expect(endless).toMatchObject({
    reason: {
      kind: "invalid",
      message: expect.stringMatching(
        /endless\.parquet, column caption cannot be read: .* 1\.5 s .*download or copy it/,
      ),
      details: { file: at("endless.parquet") },
    },
  });
  expect(whole).toMatchObject({ status: "fulfilled", value: { problems: [{ row: 7 }] } });
});

test.each([
  ["a size below nothing", 6, /a page of -\d+ bytes, \d+ are left/],
  ["more rows than the group has", 10, /a page of 3 rows, 2 are left/],
])("a page of %s is refused before it is read", async (_, byte, message) => {
  await writePickAPic(folder(), "small.parquet", await numberedRows(4), { rowGroupSize: 2 });
  const pages = await (await ParquetFile.open(at("small.parquet"))).pages("jpg_0");
  const bytes = await readFile(at("small.parquet"));
  bytes[pages[0]![0]![0] + byte]! += byte === 6 ? 1 : 2; // the next number in thrift's zig-zag, or the next but one
  await writeFile(at("small.parquet"), bytes);
  const file = await ParquetFile.open(at("small.parquet"));
  await expect(file.read("jpg_0")).rejects.toMatchObject({ kind: "corrupt", message: expect.stringMatching(message) });
});

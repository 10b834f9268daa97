import { truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import * as z from "zod";
import { useTemporaryFolder } from "../test/support/temporary-folder.js";
import { only, parseConfig, readJsonFile, unsupported } from "./json-config.js";

const folder = useTemporaryFolder();
const file = () => join(folder(), "config.json");

test("Python's infinities and NaN are read as null, inside text they stay", async () => {
  await writeFile(file(), '{"a": -Infinity, "b": NaN , "c": ": NaN,", "d": Infinity}');
  expect(await readJsonFile(file())).toEqual({ a: null, b: null, c: ": NaN,", d: null });
});

test("a missing, a cut and an oversized file are refused by name", async () => {
  await expect(readJsonFile(file())).rejects.toMatchObject({ kind: "notFound", details: { file: file() } });
  await writeFile(file(), '{"a": ');
  await expect(readJsonFile(file())).rejects.toMatchObject({ kind: "corrupt", details: { file: file() } });
  await truncate(file(), 100_000_000);
  await expect(readJsonFile(file())).rejects.toMatchObject({
    kind: "corrupt",
    message: expect.stringMatching("allowed"),
  });
});

test("a setting with few supported values has the first by default and names what came otherwise", () => {
  const schema = z.looseObject({ kind: only("a", "b"), off: unsupported() });
  expect(parseConfig(schema, {}, "f")).toEqual({ kind: "a" });
  expect(parseConfig(schema, { kind: "b", off: null, other: 1 }, "f")).toEqual({ kind: "b", off: null, other: 1 });
  expect(() => parseConfig(schema, { kind: "c" }, "f")).toThrow('f: kind: is "c", supported: a, b');
  expect(() => parseConfig(schema, { off: [1] }, "f")).toThrow("f: off: is [1], which is not supported");
});

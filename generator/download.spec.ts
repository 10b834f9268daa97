import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { SpinError } from "../core/errors.js";
import { useTemporaryFolder } from "../test/support/temporary-folder.js";
import { downloadFile } from "./download.js";

const folder = useTemporaryFolder();
const { signal } = new AbortController();
const CONTENT = Buffer.from("0123456789");
const file = { path: "unet/w.safetensors", size: 10, sha256: createHash("sha256").update(CONTENT).digest("hex") };
const target = () => join(folder(), file.path);

/** Sends the content from an offset on, but breaks after some bytes, as often as told. */
function breaking(pieces: readonly number[]) {
  const offsets: number[] = [];
  let attempt = 0;
  async function* read(offset: number) {
    offsets.push(offset);
    const length = pieces[attempt++];
    yield CONTENT.subarray(offset, length === undefined ? undefined : offset + length);
    if (length !== undefined) throw new SpinError("unavailable", "the connection broke");
  }
  return { read, offsets };
}

test("a broken transfer goes on where it broke", async () => {
  const { read, offsets } = breaking([4, 0, 3]);
  await downloadFile(target(), file, read, signal, 1);
  expect(offsets).toEqual([0, 4, 4, 7]);
  expect(await readFile(target())).toEqual(CONTENT);
});

test("a stream that ends early is asked for the rest", async () => {
  const offsets: number[] = [];
  async function* read(offset: number) {
    offsets.push(offset);
    yield CONTENT.subarray(offset, offset + 6);
  }
  await downloadFile(target(), file, read, signal, 1);
  expect(offsets).toEqual([0, 6]);
});

test("attempts that bring nothing come to an end, attempts that bring something do not", async () => {
  const { read, offsets } = breaking(new Array<number>(20).fill(0));
  await expect(downloadFile(target(), file, read, signal, 0)).rejects.toMatchObject({ kind: "unavailable" });
  expect(offsets).toHaveLength(8);
});

test("other bytes than the manifest says are refused", async () => {
  async function* wrong() {
    yield Buffer.from("012345678X");
  }
  await expect(downloadFile(target(), file, wrong, signal)).rejects.toMatchObject({ kind: "corrupt" });
});

test("more bytes than the manifest says are refused before they are written", async () => {
  async function* long() {
    yield CONTENT;
    yield CONTENT;
  }
  await expect(downloadFile(target(), { ...file, size: 12 }, long, signal)).rejects.toThrow("more than its 12 bytes");
});

test("what the service refuses is not asked for again", async () => {
  let calls = 0;
  // biome-ignore lint/correctness/useYield: it fails before there is anything to yield
  async function* refused(): AsyncGenerator<Uint8Array> {
    calls += 1;
    throw new SpinError("notFound", "no such file");
  }
  await expect(downloadFile(target(), file, refused, signal)).rejects.toMatchObject({ kind: "notFound" });
  expect(calls).toBe(1);
});

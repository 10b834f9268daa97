import { link, mkdir, readdir, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { useTemporaryFolder } from "../test/support/temporary-folder.js";
import { CheckpointCache } from "./checkpoint-cache.js";

const folder = useTemporaryFolder();
const digest = (digit: number) => `sha256:${String(digit).repeat(64)}`;
const held = async () => (await readdir(join(folder(), "cache"))).map((name) => Number(name[0])).sort();

/** Checkpoints 1, 2, 3 of 100 bytes each, used in this order. */
async function filled(maxBytes: number): Promise<CheckpointCache> {
  const cache = new CheckpointCache(join(folder(), "cache"), maxBytes);
  await mkdir(join(folder(), "new"));
  for (const digit of [1, 2, 3]) {
    await mkdir(cache.folder(digest(digit)), { recursive: true });
    await writeFile(join(cache.folder(digest(digit)), "w.safetensors"), Buffer.alloc(100));
    await utimes(cache.folder(digest(digit)), digit, digit);
  }
  return cache;
}
const reserve = (cache: CheckpointCache, bytes: number) => cache.reserve(bytes, join(folder(), "new"));

test("room is made by removing what was used longest ago, and no more than that", async () => {
  const cache = await filled(350);
  await reserve(cache, 50);
  expect(await held()).toEqual([1, 2, 3]);
  await reserve(cache, 60);
  expect(await held()).toEqual([2, 3]);
});

test("a checkpoint that was used again, or is pinned, outlives others", async () => {
  const cache = await filled(350);
  await cache.touch(digest(1));
  const unpin = cache.pin(digest(2));
  cache.pin(digest(2))();
  await reserve(cache, 100);
  expect(await held()).toEqual([1, 2]);
  unpin();
  unpin();
  await reserve(cache, 200);
  expect(await held()).toEqual([1]);
});

test("what does not fit beside pinned checkpoints is refused", async () => {
  const cache = await filled(250);
  cache.pin(digest(3));
  await expect(reserve(cache, 151)).rejects.toMatchObject({ kind: "exhausted" });
  expect(await held()).toEqual([3]);
});

test("a file with several names counts once, for those who are left", async () => {
  const cache = await filled(250);
  for (const digit of [1, 2]) await mkdir(join(cache.folder(digest(digit)), "vae"));
  await writeFile(join(cache.folder(digest(1)), "vae/v.safetensors"), Buffer.alloc(100));
  await link(join(cache.folder(digest(1)), "vae/v.safetensors"), join(cache.folder(digest(2)), "vae/v.safetensors"));
  await utimes(cache.folder(digest(1)), 1, 1);
  await utimes(cache.folder(digest(2)), 2, 2);
  await reserve(cache, 0); // 400 bytes: 1 goes and frees 100, then 2 with what it shared.
  expect(await held()).toEqual([3]);
});

test("an empty cache needs no folder", async () => {
  const cache = new CheckpointCache(join(folder(), "nowhere"), 10);
  expect(await cache.folders()).toEqual([]);
  await mkdir(join(folder(), "new"));
  await reserve(cache, 10);
  await expect(reserve(cache, 11)).rejects.toMatchObject({ kind: "exhausted" });
});

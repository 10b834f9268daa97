import { cp, mkdtemp, readdir, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { FolderDigests } from "../core/checkpoint/folder-digests.js";
import { digestFolder } from "../core/checkpoint/manifest.js";
import { SpinError } from "../core/errors.js";
import { createLogger } from "../core/service/logging.js";
import { type CheckpointServer, readPieces, startCheckpointServer } from "../test/support/checkpoint-server.js";
import { useTemporaryFolder } from "../test/support/temporary-folder.js";
import { writeTinyModel } from "../test/support/tiny-model.js";
import { CheckpointCache } from "./checkpoint-cache.js";
import { CheckpointSource } from "./checkpoint-source.js";
import { CheckpointStore } from "./checkpoint-store.js";

const folder = useTemporaryFolder();
const at = (path: string) => join(folder(), path);
const { signal } = new AbortController();
const UNKNOWN = `sha256:${"5".repeat(64)}`;
const UNET_WEIGHTS = "unet/diffusion_pytorch_model.safetensors";

const closers: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

function store(server?: CheckpointServer, cache = new CheckpointCache(at("cache"), 1e9)): CheckpointStore {
  const made = new CheckpointStore({
    modelDir: at("models"),
    cache,
    digests: new FolderDigests(),
    source: server && new CheckpointSource(server.address),
    log: createLogger("test", "silent"),
  });
  closers.push(() => made.stop());
  return made;
}

async function serve(path: string, overrides?: Parameters<typeof startCheckpointServer>[1]): Promise<CheckpointServer> {
  const server = await startCheckpointServer(path, overrides);
  closers.push(() => server.close());
  return server;
}

const byName = (modelName: string, digest = "") => ({ modelName, digest });
const byDigest = (digest: string) => ({ modelName: "", digest });
const acquire = (from: CheckpointStore, ref: { modelName: string; digest: string }) =>
  from.acquire(ref, "checkpoint", signal);

let templates: string;
let base: string;
let tuned: string;
let other: string;
beforeAll(async () => {
  templates = await mkdtemp(join(tmpdir(), "spin-models-"));
  base = await writeTinyModel(join(templates, "base"));
  tuned = await writeTinyModel(join(templates, "tuned"), { seed: 7n });
  other = await writeTinyModel(join(templates, "other"), { seed: 8n });
});
afterAll(() => rm(templates, { recursive: true }));
beforeEach(async () => {
  await cp(join(templates, "base"), at("models/base"), { recursive: true });
  await cp(join(templates, "tuned"), at("trainer/tuned"), { recursive: true });
});

test("a named folder is found, and its digest is that of what lies there", async () => {
  const found = await acquire(store(), byName("base"));
  expect(found.checkpoint).toMatchObject({ digest: base, folder: at("models/base") });
  expect((await acquire(store(), byName("base", base))).checkpoint.digest).toBe(base);
});

test("a named folder with another digest is refused, naming both", async () => {
  await expect(acquire(store(), byName("base", tuned))).rejects.toMatchObject({
    kind: "precondition",
    details: { field: "checkpoint.digest" },
    message: expect.stringMatching(`${base}, not ${tuned}`),
  });
});

test("a named folder whose files change is another checkpoint from then on", async () => {
  const here = store();
  await acquire(here, byName("base"));
  await cp(at(`trainer/tuned/${UNET_WEIGHTS}`), at(`models/base/${UNET_WEIGHTS}`));
  expect((await acquire(here, byName("base"))).checkpoint.digest).toBe(tuned);
  await expect(acquire(here, byName("base", base))).rejects.toMatchObject({ kind: "precondition" });
});

test("an unknown name and an unknown digest say what to do", async () => {
  await expect(acquire(store(), byName("nowhere"))).rejects.toMatchObject({
    kind: "notFound",
    message: expect.stringMatching("MODEL_DIR"),
    details: { field: "checkpoint.model_name" },
  });
  await expect(acquire(store(), byDigest(UNKNOWN))).rejects.toMatchObject({
    kind: "notFound",
    message: expect.stringMatching("CHECKPOINT_ADDRESS"),
    details: { field: "checkpoint.digest" },
  });
  const server = await serve(at("trainer/tuned"));
  await expect(acquire(store(server), byDigest(UNKNOWN))).rejects.toMatchObject({ kind: "notFound" });
});

test("a digest alone finds a model folder that holds it, but not one that only says so", async () => {
  expect((await acquire(store(), byDigest(base))).checkpoint.folder).toBe(at("models/base"));
  await cp(at("trainer/tuned"), at("models/some/tuned"), { recursive: true });
  await rm(at("models/some/tuned/manifest.json"));
  expect((await acquire(store(), byDigest(tuned))).checkpoint.folder).toBe(at("models/some/tuned"));
  await rm(at("models/some"), { recursive: true });
  await cp(at(`trainer/tuned/${UNET_WEIGHTS}`), at(`models/base/${UNET_WEIGHTS}`)); // The manifest still says base.
  await expect(acquire(store(), byDigest(base))).rejects.toMatchObject({ kind: "notFound" });
});

test("of a fetched checkpoint only the files that are not here travel", async () => {
  const server = await serve(at("trainer/tuned"));
  const { checkpoint } = await acquire(store(server), byDigest(tuned));
  expect(server.reads).toEqual([`${UNET_WEIGHTS}@0`]);
  expect((await digestFolder(checkpoint.folder)).digest).toBe(tuned);
  const vae = "vae/diffusion_pytorch_model.safetensors";
  expect((await stat(join(checkpoint.folder, vae))).ino).toBe((await stat(at(`models/base/${vae}`))).ino);
});

test("checkpoints of one run share the identity of text encoder and VAE", async () => {
  const here = store(await serve(at("trainer/tuned")));
  const [one, next] = [await acquire(here, byName("base")), await acquire(here, byDigest(tuned))];
  expect(next.checkpoint.textDigest).toBe(one.checkpoint.textDigest);
  expect(next.checkpoint.vaeDigest).toBe(one.checkpoint.vaeDigest);
  expect(one.checkpoint.vaeDigest).not.toBe(one.checkpoint.textDigest);
});

test("a fetched checkpoint is fetched once, by many at a time and after a restart too", async () => {
  const server = await serve(at("trainer/tuned"));
  const here = store(server);
  await Promise.all([1, 2, 3].map(() => acquire(here, byDigest(tuned))));
  await acquire(store(server), byDigest(tuned));
  expect(server.reads).toHaveLength(1);
});

test("a caller that gives up does not end the fetch for the others", async () => {
  const server = await serve(at("trainer/tuned"));
  const here = store(server);
  const controller = new AbortController();
  const given = here.acquire(byDigest(tuned), "checkpoint", controller.signal);
  const staying = acquire(here, byDigest(tuned));
  controller.abort();
  await expect(given).rejects.toMatchObject({ kind: "cancelled" });
  expect((await staying).checkpoint.digest).toBe(tuned);
});

test("a cached checkpoint that was tampered with is fetched again", async () => {
  const server = await serve(at("trainer/tuned"));
  const { checkpoint } = await acquire(store(server), byDigest(tuned));
  const weights = join(checkpoint.folder, UNET_WEIGHTS);
  const { size } = await stat(weights);
  await writeFile(weights, Buffer.alloc(size));
  const again = await acquire(store(server), byDigest(tuned));
  expect((await digestFolder(again.checkpoint.folder)).digest).toBe(tuned);
  expect(server.reads).toHaveLength(2);
});

test("bytes that are not what the manifest says leave nothing behind", async () => {
  const server = await serve(at("trainer/tuned"), {
    readFile: async function* (request) {
      for await (const { offset, data } of readPieces(at("trainer/tuned"), request)) {
        yield { offset, data: offset === 0n ? Buffer.alloc(data.length) : data };
      }
    },
  });
  await expect(acquire(store(server), byDigest(tuned))).rejects.toMatchObject({
    kind: "corrupt",
    message: expect.stringMatching(UNET_WEIGHTS),
  });
  expect(await readdir(at("cache"))).toEqual([]);
});

test("a connection that breaks now and then still brings the file", async () => {
  let calls = 0;
  const server = await serve(at("trainer/tuned"), {
    readFile: async function* (request) {
      let left = calls++ < 2 ? 20 : Number.POSITIVE_INFINITY;
      for await (const piece of readPieces(at("trainer/tuned"), request)) {
        if (left-- === 0) throw new SpinError("unavailable", "broken");
        yield piece;
      }
    },
  });
  const { checkpoint } = await acquire(store(server), byDigest(tuned));
  expect(server.reads).toEqual([0, 20 * 4096, 40 * 4096].map((offset) => `${UNET_WEIGHTS}@${offset}`));
  expect((await digestFolder(checkpoint.folder)).digest).toBe(tuned);
});

test("a manifest that names a path outside, or another digest, is refused", async () => {
  for (const path of ["../escape.json", "/etc/passwd.json"]) {
    const file = { path, size: 1n, sha256: "0".repeat(64) };
    const server = await serve(at("trainer/tuned"), {
      getCheckpoint: async ({ digest }) => ({ checkpoint: undefined, manifest: { digest, files: [file] } }),
    });
    await expect(acquire(store(server), byDigest(tuned))).rejects.toThrow("not a relative path");
  }
  const server = await serve(at("trainer/tuned"), {
    getCheckpoint: async ({ digest }) => {
      const file = { path: "a.json", size: 1n, sha256: "0".repeat(64) };
      return { checkpoint: undefined, manifest: { digest, files: [file] } };
    },
  });
  await expect(acquire(store(server), byDigest(tuned))).rejects.toMatchObject({ kind: "corrupt" });
});

test("a cache that is full loses what was used longest ago, files that others share apart, but nothing in use", async () => {
  const cache = new CheckpointCache(at("cache"), 500_000); // One whole checkpoint, or two UNets.
  const lease = await acquire(store(await serve(at("trainer/tuned")), cache), byDigest(tuned));
  const here = store(await serve(join(templates, "other")), cache);
  await expect(acquire(here, byDigest(other))).rejects.toMatchObject({
    kind: "exhausted",
    message: expect.stringMatching("CACHE_BYTES"),
  });
  lease.release();
  await rm(at("models"), { recursive: true }); // All that the new one shares lies in the folder that must go.
  expect((await acquire(here, byDigest(other))).checkpoint.digest).toBe(other);
  expect(await readdir(at("cache"))).toEqual([other.slice("sha256:".length)]);
});

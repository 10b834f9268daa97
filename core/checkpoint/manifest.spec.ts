import { createHash } from "node:crypto";
import { mkdir, rm, symlink, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { useTemporaryFolder } from "../../test/support/temporary-folder.js";
import { createManifest, digestFolder, parseManifest, verifyFolder } from "./manifest.js";

const folder = useTemporaryFolder();
const at = (path: string) => join(folder(), path);

beforeEach(async () => {
  await mkdir(at("unet"));
  await writeFile(at("unet/config.json"), "{}");
  await writeFile(at("unet/weights.safetensors"), "weights");
  await writeFile(at("model_index.json"), "[]");
});

test("the manifest lists weights and configurations by path with their hashes, and its digest is of that list", async () => {
  const manifest = await digestFolder(folder());
  expect(manifest.files.map(({ path, size }) => [path, size])).toEqual([
    ["model_index.json", 2],
    ["unet/config.json", 2],
    ["unet/weights.safetensors", 7],
  ]);
  const sha256 = createHash("sha256").update("weights").digest("hex");
  expect(manifest.files[2]!.sha256).toBe(sha256);
  const canonical = JSON.stringify(manifest.files.map(({ path, sha256, size }) => ({ path, sha256, size })));
  expect(manifest.digest).toBe(`sha256:${createHash("sha256").update(canonical).digest("hex")}`);
});

test("times, training state, hidden files, read-me files and links in a circle do not change the digest", async () => {
  const before = await digestFolder(folder());
  await utimes(at("model_index.json"), 1, 1);
  await mkdir(at("training_state"));
  await writeFile(at("training_state/adam.safetensors"), "m");
  await writeFile(at("README.md"), "hello");
  await writeFile(at("manifest.json"), "{}");
  await mkdir(at(".cache"));
  await writeFile(at(".cache/a.json"), "{}");
  expect(await digestFolder(folder())).toEqual(before);
  await symlink(folder(), at("circle"));
  expect((await digestFolder(folder())).files.length).toBeLessThan(20);
});

test("a changed byte, a changed name and a new configuration change the digest", async () => {
  const digests = new Set([(await digestFolder(folder())).digest]);
  await writeFile(at("unet/weights.safetensors"), "Weights");
  digests.add((await digestFolder(folder())).digest);
  await writeFile(at("unet/other.json"), "{}");
  digests.add((await digestFolder(folder())).digest);
  await rm(at("unet/other.json"));
  await writeFile(at("unet/other2.json"), "{}");
  digests.add((await digestFolder(folder())).digest);
  expect(digests.size).toBe(4);
});

test("verification names the file that differs or is missing", async () => {
  const manifest = await digestFolder(folder());
  await expect(verifyFolder(folder(), manifest)).resolves.toBeUndefined();
  await writeFile(at("unet/weights.safetensors"), "weighty");
  const differs = { kind: "corrupt", details: { file: at("unet/weights.safetensors") } };
  await expect(verifyFolder(folder(), manifest)).rejects.toMatchObject(differs);
  await rm(at("unet/weights.safetensors"));
  await expect(verifyFolder(folder(), manifest)).rejects.toMatchObject({ kind: "notFound" });
});

describe("a manifest from elsewhere", () => {
  const sha256 = "0".repeat(64);
  const good = createManifest([
    { path: "b.json", size: 1, sha256 },
    { path: "a.json", size: 2, sha256 },
  ]);

  test("is accepted when it is whole", () => {
    expect(parseManifest(JSON.parse(JSON.stringify(good)), "peer")).toEqual(good);
  });

  test("with another digest is refused", () => {
    const other = { ...good, digest: createManifest([good.files[0]!]).digest };
    expect(() => parseManifest(other, "peer")).toThrow(expect.objectContaining({ kind: "corrupt" }));
  });

  test.each(["../a.json", "/a.json", "a/../b.json", "a//b", "", ".", "a\\b", "c:a", ".hidden"])(
    "naming %j is refused",
    (path) => {
      const files = [{ path, size: 1, sha256 }];
      expect(() => parseManifest(createManifest(files), "peer")).toThrow(expect.objectContaining({ kind: "invalid" }));
    },
  );

  test("listing a file twice is refused", () => {
    const files = [good.files[0]!, good.files[0]!];
    expect(() => parseManifest(createManifest(files), "peer")).toThrow("a.json is listed twice");
  });
});

import { link, mkdir, rename, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { useTemporaryFolder } from "../../test/support/temporary-folder.js";
import { FolderDigests } from "./folder-digests.js";
import { digestFolder } from "./manifest.js";

const folder = useTemporaryFolder();
const at = (path: string) => join(folder(), path);
/** What no reader would find: it shows that a file was not read again. */
const REMEMBERED = "0".repeat(64);

beforeEach(async () => {
  await mkdir(at("model/unet"), { recursive: true });
  await writeFile(at("model/model_index.json"), "{}");
  await writeFile(at("model/unet/weights.safetensors"), "weights");
});

test("a folder's manifest is that of digestFolder, asked once or twice", async () => {
  const digests = new FolderDigests();
  const expected = await digestFolder(at("model"));
  expect(await digests.manifest(at("model"))).toEqual(expected);
  expect(await digests.manifest(at("model"))).toEqual(expected);
});

test("a file that was written again is read again, even with the same size", async () => {
  const digests = new FolderDigests();
  const before = await digests.manifest(at("model"));
  await writeFile(at("model/unet/weights.safetensors"), "WEIGHTS");
  await utimes(at("model/unet/weights.safetensors"), 1, 1);
  const after = await digests.manifest(at("model"));
  expect(after.digest).not.toBe(before.digest);
  expect(after).toEqual(await digestFolder(at("model")));
});

test("a remembered file is not read, neither by another name nor in a moved folder", async () => {
  const digests = new FolderDigests();
  await digests.remember(at("model/unet/weights.safetensors"), REMEMBERED);
  await link(at("model/unet/weights.safetensors"), at("model/unet/second.safetensors"));
  await rename(at("model"), at("moved"));
  const { files } = await digests.manifest(at("moved"));
  expect(files.filter(({ sha256 }) => sha256 === REMEMBERED).map(({ path }) => path)).toEqual([
    "unet/second.safetensors",
    "unet/weights.safetensors",
  ]);
});

test("a missing or empty folder is named", async () => {
  const digests = new FolderDigests();
  await expect(digests.manifest(at("nowhere"))).rejects.toMatchObject({ kind: "notFound" });
  await mkdir(at("empty"));
  await expect(digests.manifest(at("empty"))).rejects.toThrow("empty holds no weights");
});

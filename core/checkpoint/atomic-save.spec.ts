import { spawnSync } from "node:child_process";
import { mkdir, readdir, readFile, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { useTemporaryFolder } from "../../test/support/temporary-folder.js";
import { saveFolder } from "./atomic-save.js";
import { digestFolder, readManifest } from "./manifest.js";
import { writeSafetensors } from "./write-safetensors.js";

const folder = useTemporaryFolder();
const config = (text: string) => (at: string) => writeFile(join(at, "config.json"), text);

test("a saved folder holds what was written and a manifest, and nothing is left beside it", async () => {
  const target = join(folder(), "runs", "checkpoint");
  const manifest = await saveFolder(target, config("{}"));
  expect((await readdir(target)).sort()).toEqual(["config.json", "manifest.json"]);
  expect(await readdir(join(folder(), "runs"))).toEqual(["checkpoint"]);
  expect(await readManifest(target)).toEqual(manifest);
  expect(await digestFolder(target)).toEqual(manifest);
});

test("while files are written, the target is not there", async () => {
  const target = join(folder(), "checkpoint");
  await saveFolder(target, async (at) => {
    expect(await readdir(folder())).not.toContain("checkpoint");
    await config("{}")(at);
  });
  expect(await readdir(folder())).toEqual(["checkpoint"]);
});

test("the same content saved again changes nothing, other content is refused and the first stays", async () => {
  const target = join(folder(), "checkpoint");
  const first = await saveFolder(target, config("1"));
  expect(await saveFolder(target, config("1"))).toEqual(first);
  await expect(saveFolder(target, config("2"))).rejects.toMatchObject({ kind: "alreadyExists" });
  expect(await readFile(join(target, "config.json"), "utf8")).toBe("1");
  expect(await readdir(folder())).toEqual(["checkpoint"]);
});

test("a full disk is an error that names the file and the remedy, and leaves nothing", async () => {
  const save = saveFolder(join(folder(), "checkpoint"), async (at) => {
    const file = join(at, "weights.safetensors");
    // Every write to this device fails with ENOSPC.
    await symlink("/dev/full", file);
    await writeSafetensors(file, [{ name: "a", dtype: "F32", shape: [1], data: new Float32Array(1) }]);
  });
  await expect(save).rejects.toMatchObject({
    kind: "exhausted",
    message: expect.stringMatching(/weights.*free space/),
  });
  expect(await readdir(folder())).toEqual([]);
});

test("an error of the caller's own passes as it is and leaves nothing", async () => {
  const own = new RangeError("stopped");
  await expect(saveFolder(join(folder(), "checkpoint"), () => Promise.reject(own))).rejects.toBe(own);
  expect(await readdir(folder())).toEqual([]);
});

test("leftovers of dead processes are removed, those of living ones and of other targets stay", async () => {
  const { pid } = spawnSync(process.execPath, ["--version"]);
  const leftovers = [
    `.checkpoint.saving-${pid}-0-0`,
    `.checkpoint.saving-${process.ppid}-0-0`,
    `.other.saving-${pid}-0-0`,
  ];
  for (const name of leftovers) await mkdir(join(folder(), name, "unet"), { recursive: true });
  await saveFolder(join(folder(), "checkpoint"), config("{}"));
  expect(new Set(await readdir(folder()))).toEqual(new Set([...leftovers.slice(1), "checkpoint"]));
});

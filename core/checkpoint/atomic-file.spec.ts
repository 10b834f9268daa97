import { readdir, readFile, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { useTemporaryFolder } from "../../test/support/temporary-folder.js";
import { saveFile } from "./atomic-file.js";

const folder = useTemporaryFolder();

test("a file is written in new folders, then replaced, and nothing is left beside it", async () => {
  const path = join(folder(), "runs", "run.json");
  await saveFile(path, "1");
  await saveFile(path, "22");
  expect(await readFile(path, "utf8")).toBe("22");
  expect(await readdir(join(folder(), "runs"))).toEqual(["run.json"]);
});

test("what cannot be written leaves the file as it was", async () => {
  const path = join(folder(), "run.json");
  await writeFile(path, "before");
  const below = join(path, "impossible.json");
  await expect(saveFile(below, "x")).rejects.toMatchObject({ name: "SpinError" });
  expect(await readFile(path, "utf8")).toBe("before");
});

test("a link is replaced, not followed", async () => {
  const [path, other] = [join(folder(), "run.json"), join(folder(), "other.json")];
  await writeFile(other, "other");
  await symlink(other, path);
  await saveFile(path, "own");
  expect(await readFile(other, "utf8")).toBe("other");
});

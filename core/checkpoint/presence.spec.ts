import { execFile } from "node:child_process";
import { mkdir, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { useTemporaryFolder } from "../../test/support/temporary-folder.js";
import { writeTinyModel } from "../../test/support/tiny-model.js";
import { entriesIn, exists, isFile, isFolder, namesIn } from "./presence.js";

const run = promisify(execFile);
const folder = useTemporaryFolder();
const FAULTS = new URL("../../test/support/process-faults.mjs", import.meta.url).href;
const DIST = new URL("../../dist/", import.meta.url).href;

test("what is there is told from what is not", async () => {
  await mkdir(join(folder(), "below"));
  await writeFile(join(folder(), "file"), "");
  await symlink("circle", join(folder(), "circle"));
  const answers = (name: string) => Promise.all([exists, isFile, isFolder].map((ask) => ask(join(folder(), name))));
  expect(await answers("below")).toEqual([true, false, true]);
  expect(await answers("file")).toEqual([true, true, false]);
  for (const name of ["nothing", "file/below", "circle", "long".repeat(100)]) {
    expect(await answers(name)).toEqual([false, false, false]);
    expect(await namesIn(join(folder(), name))).toEqual([]);
    expect(await entriesIn(join(folder(), name))).toEqual([]);
  }
  expect(await namesIn(folder())).toEqual(["below", "circle", "file"]);
});

test.each([
  ["a model", "core/checkpoint/model-folder.js", "openModelFolder"],
  ["a configuration", "core/json-config.js", "readJsonFile"],
  ["training states", "core/checkpoint/training-state.js", "listTrainingStates"],
  ["runs", "trainer/jobs/run-store.js", "RunStore.open"],
])("a disk that fails is not taken for one without %s", async (_, module, name) => {
  const model = join(folder(), "model");
  await writeTinyModel(model);
  const path = name === "readJsonFile" ? join(model, "model_index.json") : model;
  const script = `
    const module = await import(${JSON.stringify(DIST + module)});
    await module.${name}(${JSON.stringify(path)}).then(
      () => console.log("read"),
      ({ kind, message }) => console.log(kind, message),
    );`;
  const read = async (faults: object) => {
    const file = join(folder(), "faults.json");
    await writeFile(file, JSON.stringify(faults));
    const env = { ...process.env, FAULT_SWITCH: file, FAULT_FOLDER: model };
    const { stdout } = await run(process.execPath, ["--import", FAULTS, "--input-type=module", "-e", script], { env });
    return stdout;
  };
  expect(await read({})).toBe("read\n");
  expect(await read({ disk: "EIO" })).toMatch(/^exhausted the disk failed reading .*\(EIO\)/);
});

import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { useTemporaryFolder } from "../../test/support/temporary-folder.js";
import { listTrainingStates, readTrainingState, saveTrainingState } from "./training-state.js";

const folder = useTemporaryFolder();
const state = (step: number) => ({
  facts: { step, baseDigest: "sha256:a", samplingSpecDigest: "sha256:b", scalars: { travelled: 0.1 + step } },
  tensors: new Map([
    ["weights.a", Float32Array.of(step, -0, Number.MIN_VALUE)],
    ["moments.a", Float32Array.of(1 / step, 2, 3)],
  ]),
});
const empty = () => new Map([...state(1).tensors.keys()].map((name) => [name, new Float32Array(3)]));

test("a state comes back to the bit, and the last two are kept", async () => {
  for (const step of [5, 10, 100]) await saveTrainingState(folder(), state(step));
  const kept = await listTrainingStates(folder());
  expect(kept).toEqual([join(folder(), "step-0000100"), join(folder(), "step-0000010")]);
  expect((await readdir(folder())).sort()).toEqual(["step-0000010", "step-0000100"]);
  const arrays = empty();
  expect(await readTrainingState(kept[0]!, arrays)).toEqual(state(100).facts);
  expect(arrays).toEqual(state(100).tensors);
});

test.each(["state.safetensors", "state.json"])("one flipped bit of %s is refused, naming it", async (name) => {
  await saveTrainingState(folder(), state(7));
  const [kept] = await listTrainingStates(folder());
  const file = join(kept!, name);
  const bytes = await readFile(file);
  bytes[bytes.length - 5]! ^= 0x10;
  await writeFile(file, bytes);
  await expect(readTrainingState(kept!, empty())).rejects.toMatchObject({
    kind: "corrupt",
    message: expect.stringContaining(name),
  });
});

test("there are no states in a folder that is not there", async () => {
  expect(await listTrainingStates(join(folder(), "absent"))).toEqual([]);
});

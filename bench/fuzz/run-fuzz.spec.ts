import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { SpinError } from "../../core/errors.js";
import { CASES_FOLDER } from "../../test/reference/cases.js";
import { useTemporaryFolder } from "../../test/support/temporary-folder.js";
import { DECODERS, loadSeeds } from "./decoders.js";
import { formatCounts, fuzzDecoder } from "./run-fuzz.js";

const folder = useTemporaryFolder();
const options = () => ({ inputs: 12, seed: 3n, cases: CASES_FOLDER, folder: join(folder(), "inputs") });

test.each(DECODERS.map((decoder) => [decoder.name, decoder] as const))(
  "%s survives damaged inputs",
  async (_, decoder) => {
    const { faults, read, refused } = await fuzzDecoder(decoder, options());
    expect(faults).toEqual([]);
    expect(read + refused).toBe(12);
  },
);

test("every decoder reads its undamaged inputs", async () => {
  await mkdir(join(folder(), "valid"));
  for (const decoder of DECODERS) {
    for (const bytes of await loadSeeds(decoder, CASES_FOLDER)) {
      await writeFile(join(folder(), "valid/input"), bytes);
      await decoder.decode(join(folder(), "valid/input"), bytes);
    }
  }
});

test("errors of no type and faults of the program count as faults, by the input's number", async () => {
  let calls = 0;
  const decoder = {
    name: "made up",
    seeds: [Uint8Array.of(1, 2, 3)],
    decode: async () => {
      calls++;
      if (calls === 1) throw new TypeError("undefined is not a function");
      if (calls === 2) throw new SpinError("internal", "broken");
      if (calls === 3) throw new SpinError("corrupt", "as it should be");
    },
  };
  const count = await fuzzDecoder(decoder, options());
  expect(count).toMatchObject({ inputs: 12, read: 9, refused: 1 });
  expect(count.faults.map(({ index }) => index)).toEqual([0, 1]);
  expect(formatCounts([count])).toContain("| made up | 12 | 9 | 1 |");
});

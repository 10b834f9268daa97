import { mkdir, readdir } from "node:fs/promises";
import { join } from "node:path";
import { SpinError } from "../../core/errors.js";
import { CASES_FOLDER } from "../../test/reference/cases.js";
import { useTemporaryFolder } from "../../test/support/temporary-folder.js";
import { fuzzInput } from "./decoder.js";
import { DECODERS } from "./decoders.js";
import { formatCounts, fuzzDecoder } from "./run-fuzz.js";
import { Tally } from "./tally.js";

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

test.each(DECODERS.map((decoder) => [decoder.name, decoder] as const))(
  "%s reads its undamaged inputs",
  async (_, decoder) => {
    await mkdir(join(folder(), "valid"));
    for (const [seed, bytes] of (await decoder.seeds(CASES_FOLDER)).entries()) {
      await decoder.decode(fuzzInput(bytes, seed, join(folder(), "valid")));
    }
    decoder.end?.();
  },
);

const madeUp = {
  name: "made up",
  seeds: async () => [Uint8Array.of(1, 2, 3)],
  decode: async () => undefined,
};

test("errors of no type and faults of the program count as faults, by the input's number", async () => {
  let calls = 0;
  const decode = async () => {
    calls++;
    if (calls === 1) throw new TypeError("undefined is not a function");
    if (calls === 2) throw new SpinError("internal", "broken");
    if (calls === 3) throw new SpinError("corrupt", "as it should be");
    if (calls === 4) held = new Uint8Array(300_000_000);
  };
  let held: Uint8Array | undefined;
  const count = await fuzzDecoder({ ...madeUp, decode }, options());
  expect(held).toHaveLength(300_000_000);
  expect(count).toMatchObject({ inputs: 12, read: 8, refused: 1 });
  expect(count.faults.map(({ index }) => index)).toEqual([0, 1, 3]);
  expect(await readdir(options().folder)).toEqual(["made-up-3-0", "made-up-3-1", "made-up-3-3"]);
  expect(formatCounts([count])).toContain("| made up | 12 | 8 | 1 |");
});

test("a tally goes on where the run before ended, and adds up", async () => {
  const file = join(folder(), "tally.json");
  const seen: Uint8Array[] = [];
  const decode = async ({ bytes }: { bytes: Uint8Array }) => {
    seen.push(Uint8Array.from(bytes));
  };
  for (const inputs of [5, 7]) {
    const tally = await Tally.open(file, 3n);
    const from = tally.next("made up");
    await tally.add(await fuzzDecoder({ ...madeUp, decode }, { ...options(), from, inputs }));
  }
  const [whole] = (await Tally.open(file, 3n)).counts;
  expect(whole).toMatchObject({ inputs: 12, read: 12 });
  const parts = seen.splice(0);
  await fuzzDecoder({ ...madeUp, decode }, options());
  expect(parts).toEqual(seen);
  await expect(Tally.open(file, 4n)).rejects.toThrow("counts inputs of the seed 3, asked for 4");
});

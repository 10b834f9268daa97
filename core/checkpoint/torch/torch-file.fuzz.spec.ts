import { readFileSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { loadCase } from "../../../test/reference/cases.js";
import { seededRandom } from "../../../test/support/seeded-random.js";
import { useTemporaryFolder } from "../../../test/support/temporary-folder.js";
import { SpinError } from "../../errors.js";
import { openTorchFile } from "./torch-file.js";

const folder = useTemporaryFolder();
const { folder: caseFolder } = loadCase("score/clip-gelu");
const valid = readFileSync(join(caseFolder, "aesthetic.pth"));
/** The pickle and the zip directory are where bytes steer the reading. */
const steering = [...range(0, 1400), ...range(valid.length - 1700, valid.length)];

function range(start: number, end: number): number[] {
  return Array.from({ length: end - start }, (_, i) => start + i);
}

/** One of: cut short, bytes exchanged, 32 bits made huge, a part repeated, a part left out. */
function mutate(random: () => number): Uint8Array {
  const bytes = Uint8Array.from(valid);
  const place = () => steering[Math.floor(random() * steering.length)]!;
  const kind = Math.floor(random() * 5);
  const at = place();
  if (kind === 0) return bytes.subarray(0, Math.floor(random() * bytes.length));
  if (kind === 1) for (let i = 0; i < 1 + random() * 8; i++) bytes[place()] = Math.floor(random() * 256);
  if (kind === 2) bytes.fill(random() < 0.5 ? 0xff : 0x7f, at, at + 4);
  if (kind === 3) bytes.copyWithin(place(), at, at + Math.floor(random() * 64));
  if (kind === 4) return Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + 1 + Math.floor(random() * 16))]);
  return bytes;
}

test("damaged files are read or refused by a typed error, at once, without taking the memory that they claim", async () => {
  const random = seededRandom(11);
  const path = join(folder(), "damaged.pth");
  const outcomes = { read: 0, refused: 0 };
  for (let i = 0; i < 300; i++) {
    await writeFile(path, mutate(random));
    const before = process.memoryUsage().arrayBuffers;
    const start = performance.now();
    try {
      const file = await openTorchFile(path);
      for (const name of file.tensors.keys()) await file.read(name);
      outcomes.read++;
    } catch (error) {
      if (!(error instanceof SpinError) || error.kind === "internal" || !error.message.includes(path)) throw error;
      outcomes.refused++;
    }
    expect(performance.now() - start).toBeLessThan(1000);
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(50_000_000);
  }
  expect(outcomes.refused).toBeGreaterThan(100);
  expect(outcomes.read).toBeGreaterThan(10);
});

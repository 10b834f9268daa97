import { execFile } from "node:child_process";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { useTemporaryFolder } from "../../test/support/temporary-folder.js";

/** A save, interrupted at each of its points: whatever happens, what was there is there, and so is what was finished. */

const SCRIPT = fileURLToPath(new URL("../../test/support/save-state.mjs", import.meta.url));
const run = promisify(execFile);
const folder = useTemporaryFolder();

async function script<T>(...args: string[]): Promise<T> {
  const { stdout } = await run(process.execPath, [SCRIPT, ...args]);
  return JSON.parse(stdout) as T;
}

const OLD = [2, 1];
const NEW = [3, 2];
/** Between the new state's coming and the oldest one's going. */
const BOTH = [3, 2, 1];

interface Left {
  readonly kind?: string;
  readonly after: number[];
  readonly healed: number[];
}

test.each(["ENOSPC", "EIO"])(
  "%s at any point of a save leaves the old states or the new one whole, and the next save heals",
  async (code) => {
    const left = await script<Left[]>(folder(), code);
    expect(left.length).toBeGreaterThan(10);
    for (const { kind, after, healed } of left.slice(0, -1)) {
      expect(kind).toBe("exhausted");
      expect([OLD, NEW, BOTH]).toContainEqual(after);
      expect(healed).toEqual(NEW);
    }
    expect(left[0]!.after).toEqual(OLD);
    expect(left.at(-1)).toEqual({ after: NEW, healed: NEW });
  },
  120_000,
);

test("a kill at any point of a save leaves the old states or the new one whole", async () => {
  const points = await script<string[]>(join(folder(), "named"), "points");
  expect(points.map((point) => point.split(" ")[0])).toEqual(
    expect.arrayContaining(["mkdir", "open", "writeFile", "sync", "rename", "rm"]),
  );
  for (const i of points.keys()) {
    const own = join(folder(), "killed", String(i));
    await expect(script(own, "kill", String(i + 1))).rejects.toMatchObject({ signal: "SIGKILL" });
  }
  const outcomes = await script<number[][]>(join(folder(), "killed"), "whole");
  expect(outcomes).toHaveLength(points.length);
  for (const [i, steps] of outcomes.entries()) {
    const isWhole = [OLD, NEW, BOTH].some((one) => String(one) === String(steps));
    expect({ point: points[i], isWhole }).toEqual({ point: points[i], isWhole: true });
  }
  expect(outcomes[0]).toEqual(OLD);
  expect(outcomes.at(-1)).toEqual(BOTH);
}, 300_000);

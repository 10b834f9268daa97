import { execFile } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { useTemporaryFolder } from "../support/temporary-folder.js";

const SCRIPT = fileURLToPath(new URL("./fault-table.mjs", import.meta.url));
const folder = useTemporaryFolder();

test("the table counts faults by type, and tells what runs took longer that had them, and with one alone", async () => {
  const run = (seconds: number, faults: string[], alone = false) => ({
    seed: 1,
    alone,
    seconds,
    undisturbedSeconds: 10,
    attempts: 2,
    faults: faults.map((fault) => ({ service: fault.split(" ")[0], kind: fault.split(" ")[1], forMs: 1 })),
  });
  const runs = [
    run(12, ["trainer kill", "network cut", "network cut"]),
    run(15.26, ["trainer kill", "network reset"]),
    run(19, ["trainer kill"]),
    run(9.5, ["network cut"], true),
    run(11, ["trainer kill"], true),
  ];
  const files = ["a", "b"].map((name) => join(folder(), name));
  for (const [i, file] of files.entries()) {
    const lines = runs.filter((_, run) => run % 2 === i).map((one) => `${JSON.stringify(one)}\n`);
    await writeFile(file, lines.join(""));
  }
  const { stdout } = await promisify(execFile)(process.execPath, [SCRIPT, ...files]);
  expect(stdout.split("\n")).toEqual([
    "| service | fault | times | runs that had it, s | alone, s (runs) |",
    "| --- | --- | --- | --- | --- |",
    "| network | cut | 2 | +2.0 | −0.5 (1) |",
    "| network | reset | 1 | +5.3 | – (0) |",
    "| trainer | kill | 3 | +5.3 | +1.0 (1) |",
    "",
    "3 runs, 6 faults, 6 attempts at iterations; a run took 15.3 s in the median, an undisturbed one 10.0 s.",
    "",
  ]);
});

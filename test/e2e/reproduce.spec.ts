import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { useTemporaryFolder } from "../support/temporary-folder.js";

/** The reproduction from end to end with hardly any training: its figures mean nothing, that they come out is what is tested. */

const MAIN = fileURLToPath(new URL("../../dist/demo/reproduce/main.js", import.meta.url));
const folder = useTemporaryFolder();

async function run(command: string): Promise<{ code: number; out: string; err: string }> {
  const child = spawn(process.execPath, [MAIN, command, "--quick", "--folder", folder()]);
  const written = { out: "", err: "" };
  child.stdout.on("data", (data: Buffer) => (written.out += String(data)));
  child.stderr.on("data", (data: Buffer) => (written.err += String(data)));
  const [code] = (await once(child, "exit")) as [number];
  return { code, ...written };
}

const read = (name: string) => readFile(join(folder(), name), "utf8");

test("a search chooses settings, the claims are tried with them, and a second run gives the same digests without training again", async () => {
  const search = await run("grid");
  expect(search).toMatchObject({ code: 0, out: expect.stringContaining("grid.json") });
  const grid = JSON.parse(await read("grid.json")) as {
    chosen: Record<string, { settings: { learningRate: number } }>;
  };
  expect(Object.keys(grid.chosen)).toEqual(["sft", "dpo", "spin-1", "spin-2", "spin-3"]);

  const first = await run("claims");
  expect(first.code).toBe(0);
  const results = JSON.parse(await read("reproduction.json")) as Record<string, unknown>;
  expect(results).toMatchObject({ chosen: { isSearched: true }, diverged: [] });
  expect(results.claims).toHaveLength(9);
  const document = await read("reproduction.md");
  expect(document).toContain("| iteration 1 beats SFT at equal steps (spin-1 over sft-1x) |");
  expect(document).not.toMatch(/undefined|NaN/);
  const report = await read("reproduction-report.html");
  for (const part of ["Table 1", "Figure 5", "<h2>Training", "<h2>Timeline", "<h2>Lineage"])
    expect(report).toContain(part);

  const again = await run("claims");
  expect(again).toMatchObject({ code: 0, out: expect.stringContaining(", as before") });
  expect(again.err).not.toContain("step 1/");
}, 1_800_000);

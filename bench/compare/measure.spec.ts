import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { useTemporaryFolder } from "../../test/support/temporary-folder.js";
import { measure } from "./measure.js";

const folder = useTemporaryFolder();
const RESULT = {
  ms: 5,
  all_ms: [5],
  peak_rss_mb: 1,
  setup_ms: 0,
  settings: { threads: 1 },
  parameters: 1,
  latent: [4, 8, 8],
  runtime: "node",
};

/** Runs a script as a benchmark. */
async function run(script: string, flags: Parameters<typeof measure>[1] = {}) {
  const file = join(folder(), "bench.mjs");
  await writeFile(file, script);
  return measure([process.execPath, file, "step"], flags);
}

test("a program gets its flags, and its last line is what it measured", async () => {
  const script = `
    console.log("warming up");
    const runtime = process.argv.slice(2).join(" ");
    console.log(JSON.stringify({ ...${JSON.stringify(RESULT)}, runtime }));`;
  const measured = await run(script, { batch: 2, threads: undefined, "sampling-steps": 3 });
  expect(measured.runtime).toBe("step --json --batch 2 --sampling-steps 3");
  expect(measured.ms).toBe(5);
});

test("memory is that of the whole process tree", async () => {
  const child = "const kept = Buffer.alloc(300 * 2 ** 20, 1); setTimeout(() => kept, 2000);";
  const script = `
    import { spawn } from "node:child_process";
    import { once } from "node:events";
    await once(spawn(process.execPath, ["-e", ${JSON.stringify(child)}]), "exit");
    console.log(JSON.stringify(${JSON.stringify(RESULT)}));`;
  expect((await run(script)).peak_rss_mb).toBeGreaterThan(330);
});

test("a program that fails is quoted", async () => {
  await expect(run('console.error("no such model"); process.exitCode = 3;')).rejects.toThrow(
    /step --json ended with 3: no such model$/,
  );
});

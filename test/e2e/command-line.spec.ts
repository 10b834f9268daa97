import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { readConfig } from "../../core/service/config.js";
import { EVALUATOR_SETTINGS } from "../../evaluator/config.js";
import { startEvaluator } from "../../evaluator/start.js";
import { commandLine } from "../support/run-command-line.js";
import { freePorts, startTestGenerator, startTestTrainer } from "../support/services.js";
import { useTemporaryFolder } from "../support/temporary-folder.js";
import { writeTinyModel } from "../support/tiny-model.js";
import { writeTinyScorer } from "../support/tiny-scorer.js";

/** The command line as a client of real services, and as what starts them. */

const PROGRAM = fileURLToPath(new URL("../../bin/spin-diffusion.mjs", import.meta.url));

const folder = useTemporaryFolder();
const stopping: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const stop of stopping.splice(0).reverse()) await stop();
});

/** All three services over the tiny model and a tiny scorer. @returns the addresses of trainer and evaluator */
async function startServices() {
  const modelDir = join(folder(), "models");
  await writeTinyModel(join(modelDir, "tiny"));
  await writeTinyScorer(join(modelDir, "scorer"));
  const [port] = await freePorts(1);
  const generatorAddress = `127.0.0.1:${port}`;
  const trainer = await startTestTrainer(folder(), { modelDir, generators: [generatorAddress] });
  stopping.push(() => trainer.stop());
  const generator = await startTestGenerator(folder(), { modelDir, port, trainer: trainer.address });
  stopping.push(() => generator.stop());
  const flags = { port: "0", modelDir, generatorAddress, evaluationsDir: join(folder(), "evaluations") };
  const evaluator = await startEvaluator(
    readConfig(EVALUATOR_SETTINGS, { ...flags, threads: "1", logLevel: "silent" }, {}),
  );
  stopping.push(() => evaluator.stop());
  return { trainer: trainer.address, evaluator: evaluator.address };
}

const SMALL = [
  ...["--base", "tiny", "--dataset", "emoji/winners", "--steps", "2", "--batch", "2", "--objective", "spin"],
  ...["--sampling-steps", "3", "--guidance", "2", "--eta", "1", "--learning-rate", "1e-3", "--beta", "10"],
];

test("a run of two iterations is told step by step, found again by the same command, and evaluated", async () => {
  const { trainer, evaluator } = await startServices();
  const begun = await commandLine("run", "--trainer", trainer, ...SMALL);
  expect(begun).toMatchObject({ code: 0, err: "" });
  const lines = begun.out.trimEnd().split("\n");
  expect(lines[0]).toMatch(/^run \S+ on sha256:[0-9a-f]{64}$/);
  expect(lines[1]).toMatch(/^spin-1 1\/2 {2}loss 0\.6931 {2}margin \+0\.000/);
  expect(lines[2]).toMatch(/^spin-1 2\/2 .* 0 s left$/);
  expect(lines[3]).toMatch(/^spin-1 is sha256:[0-9a-f]{64}$/);

  const report = join(folder(), "out", "report.html");
  const evaluation = ["--evaluator", evaluator, "--max-prompts", "4", "--report", report];
  const done = await commandLine("run", "--trainer", trainer, ...SMALL, "--iterations", "2", ...evaluation, "--json");
  expect(done.code).toBe(0);
  // What was done is not done again: the first iteration is told as it was.
  expect(done.err.split("\n").slice(0, 2)).toEqual(lines.slice(0, 2));
  const result = JSON.parse(done.out) as Record<string, unknown>;
  const expected = [
    { label: "base", steps: 0 },
    { label: "spin-1", steps: 2, digest: lines[3]!.slice("spin-1 is ".length) },
    { label: "spin-2", steps: 4, last_step: { step: 2 } },
  ];
  expect(result).toMatchObject({ checkpoints: expected });
  expect(result).toMatchObject({ evaluation: { checkpoints: expected.map(({ label }) => ({ name: label })) } });
  expect(await readFile(report, "utf8")).toContain("spin-2");
}, 300_000);

test("whole trajectories are trained on through the command line, and without noise the trainer says why not", async () => {
  const { trainer } = await startServices();
  const exact = ["--objective", "spin-exact", "--lambda", "0.01", "--error-space", "mu", "--reduction", "sum"];
  const done = await commandLine("run", "--trainer", trainer, ...SMALL, ...exact);
  expect(done).toMatchObject({ code: 0, err: "" });
  const lines = done.out.trimEnd().split("\n");
  expect(lines[1]).toMatch(/^spin-exact-1 1\/2 {2}loss 0\.693[12] {2}margin \+0\.000/);
  expect(lines[3]).toMatch(/^spin-exact-1 is sha256:/);
  const silent = await commandLine("run", "--trainer", trainer, ...SMALL, ...exact, "--eta", "0");
  expect(silent.code).toBe(1);
  expect(silent.err).toContain("σ_t is 0 without noise");
}, 300_000);

test("checkpoints by name and by digest are compared in a table", async () => {
  const { evaluator } = await startServices();
  const flags = ["--prompts", "emoji/winners", "--max-prompts", "4", "--steps", "2", "--guidance", "2"];
  const checkpoints = ["--checkpoint", "one=tiny", "--checkpoint", "other=tiny,7"];
  const { code, out, err } = await commandLine("evaluate", "--evaluator", evaluator, ...checkpoints, ...flags);
  expect({ code, err: err.match(/error.*/)?.[0] }).toEqual({ code: 0, err: undefined });
  expect(out).toMatch(/^checkpoint +steps +score/);
  expect(out).toMatch(/^one +0 /m);
  expect(out).toMatch(/^other +7 .* 50\.0/m);
});

test("what a service refuses comes out in its words", async () => {
  const { trainer } = await startServices();
  const absent = await commandLine("run", "--trainer", trainer, "--base", "absent", "--dataset", "emoji/winners");
  expect(absent.code).toBe(1);
  expect(absent.err).toContain("absent");
});

/** Starts a service by the command line, as a process of its own. */
function serve(...args: string[]) {
  const child = spawn(process.execPath, [PROGRAM, "serve", ...args], { stdio: ["ignore", "pipe", "pipe"] });
  const written = { out: "", err: "" };
  child.stdout.on("data", (data: Buffer) => (written.out += String(data)));
  child.stderr.on("data", (data: Buffer) => (written.err += String(data)));
  const ended = once(child, "exit").then(([code]) => code as number);
  const ready = async () => {
    while (!written.out.includes("ready")) await once(child.stdout, "data");
    return (JSON.parse(written.out.split("\n").find((line) => line.includes("ready"))!) as { address: string }).address;
  };
  return { child, written, ended, ready };
}

test("a service that the command line starts runs until it is told to stop, and its port is its own", async () => {
  const settings = ["--model-dir", folder(), "--runs-dir", join(folder(), "runs"), "--threads", "1"];
  const first = serve("trainer", "--port", "0", ...settings);
  const address = await first.ready();
  const second = serve("trainer", "--port", address.split(":").at(-1)!, ...settings.with(3, join(folder(), "more")));
  expect(await second.ended).toBe(1);
  expect(second.written.err).toMatch(/^error: port \d+ of 127\.0\.0\.1 is in use; end the process/m);
  first.child.kill("SIGTERM");
  expect(await first.ended).toBe(0);
});

test("output that nobody reads on ends the command without a word", async () => {
  const script = `"${process.execPath}" "${PROGRAM}" run --help | head -n 1`;
  const shell = spawn("sh", ["-c", script], { stdio: ["ignore", "pipe", "pipe"] });
  const told = { out: "", err: "" };
  shell.stdout.on("data", (data) => (told.out += String(data)));
  shell.stderr.on("data", (data) => (told.err += String(data)));
  expect(await once(shell, "close")).toEqual([0, null]);
  expect(told).toEqual({ out: "Usage: spin-diffusion run [options] [recipe]\n", err: "" });
});

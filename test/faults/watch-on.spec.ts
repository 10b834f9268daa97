import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { freePorts } from "../support/services.js";
import { useSharedGenerator } from "../support/shared-generator.js";
import { useTemporaryFolder } from "../support/temporary-folder.js";
import { startTrainerProcess, type TrainerProcess } from "../support/trainer-process.js";
import { until } from "../support/until.js";

/** `spin-diffusion run` while the trainer that it watches goes away. */

const MAIN = fileURLToPath(new URL("../../dist/cli/main.js", import.meta.url));
const folder = useTemporaryFolder();
const { modelDir, generator } = useSharedGenerator();

const ending: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const end of ending.splice(0)) await end();
});

async function startTrainer(port: number): Promise<TrainerProcess> {
  const env = { TRAINING_STATE_INTERVAL: "2" };
  const trainer = await startTrainerProcess(folder(), {
    modelDir: modelDir(),
    generators: [generator().address],
    port,
    env,
  });
  ending.push(() => kill(trainer));
  return trainer;
}

async function kill({ channel, process, exit }: TrainerProcess): Promise<void> {
  process.kill("SIGKILL");
  await exit;
  channel.close();
}

/** The command with what it has written so far. */
function runCommand(port: number, ...more: string[]) {
  const settings = [
    "--base",
    "tiny",
    "--dataset",
    "emoji/winners",
    "--steps",
    "12",
    "--batch",
    "4",
    "--lambda",
    "0.01",
  ];
  const rest = [
    "--objective",
    "spin",
    "--eta",
    "1",
    "--error-space",
    "mu",
    "--reduction",
    "sum",
    "--sampling-steps",
    "5",
  ];
  const args = ["run", "--trainer", `127.0.0.1:${port}`, ...settings, ...rest, ...more];
  const child = spawn(process.execPath, [MAIN, ...args], { stdio: ["ignore", "pipe", "pipe"] });
  const written = { out: "", err: "" };
  child.stdout.on("data", (data: Buffer) => (written.out += String(data)));
  child.stderr.on("data", (data: Buffer) => (written.err += String(data)));
  const exit = new Promise<number | null>((resolve) => child.once("exit", resolve));
  ending.push(async () => {
    child.kill("SIGKILL");
    await exit;
  });
  return { written, exit };
}

const stepsIn = (text: string) => [...text.matchAll(/^spin-1\s+(\d+)\/12/gm)].map(([, step]) => Number(step));

test("a trainer that is killed and started again is watched on, every step told once", async () => {
  const [port] = await freePorts(1);
  const first = await startTrainer(port!);
  const { written, exit } = runCommand(port!, "--patience", "120");
  await until(() => stepsIn(written.out).length >= 3, 60_000);
  await kill(first);
  await until(() => written.out.includes("is gone"), 30_000);
  await startTrainer(port!);
  expect([await exit, written.err]).toEqual([0, ""]);
  expect(stepsIn(written.out)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]);
  expect(written.out).toMatch(
    /127\.0\.0\.1:\d+ is gone \(.+\): waiting up to 2 min 00 s for it\n(.*\n)*?127\.0\.0\.1:\d+ is back\n/,
  );
  expect(written.out).toMatch(/^spin-1 is sha256:[0-9a-f]{64}$/m);
}, 300_000);

test("one that stays away is given up after the patience, with what to do", async () => {
  const [port] = await freePorts(1);
  const trainer = await startTrainer(port!);
  const { written, exit } = runCommand(port!, "--patience", "2");
  await until(() => stepsIn(written.out).length >= 1, 60_000);
  await kill(trainer);
  expect(await exit).toBe(1);
  expect(written.err).toMatch(/^error: 127\.0\.0\.1:\d+ has been gone for 2 s: .*; start it again; the same command/);
}, 300_000);

// npm run test:compose -- [--replicas 3] [--steps 6] [--no-build] [--file FILE]…: the Compose file on a real container engine. An iteration is
// run twice with the same settings: the second time one replica of the generator is killed and another one paused, for good, in mid-iteration.
// Both must end with the same digest. Everything is removed in the end. With deploy/compose.tls.yaml as a second FILE, SPIN_TLS_CA and
// SPIN_TOKEN_FILE say what the command line is to show.
import { execFileSync, spawn, spawnSync } from "node:child_process";
import { dirname } from "node:path";
import process from "node:process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

const ROOT = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
const PROJECT = "spin-faults";
const TRAINER = "127.0.0.1:50052";
const HEALTHY_MS = 180_000;
/** Steps seen before the faults. */
const STEPS_BEFORE = 2;

const { values } = parseArgs({
  options: {
    replicas: { type: "string", default: "3" },
    steps: { type: "string", default: "6" },
    "no-build": { type: "boolean", default: false },
    file: { type: "string", multiple: true, default: ["docker-compose.yml"] },
  },
});
const replicas = Number(values.replicas);
if (!(replicas >= 3)) throw new Error("--replicas: expected 3 or more, one to kill, one to pause and one to go on");
const env = { THREADS: "1", LOG_LEVEL: "warn", ...process.env };
const files = values.file.flatMap((file) => ["-f", file]);

const docker = (...args) => execFileSync("docker", args, { cwd: ROOT, env, encoding: "utf8" });
/** Compose as docker's plugin, or the program of its own that came before it. */
const [program, ...first] =
  spawnSync("docker", ["compose", "version"]).status === 0 ? ["docker", "compose"] : ["docker-compose"];
const compose = (args, stdio = "inherit") =>
  execFileSync(program, [...first, "-p", PROJECT, ...files, ...args], { cwd: ROOT, env, encoding: "utf8", stdio });

const containersOf = (service) => compose(["ps", "--quiet", service], ["ignore", "pipe", "inherit"]).trim().split("\n");

/** Waits until the trainer is healthy, which is started once the generators are; the container's own probe knows of TLS. */
async function untilHealthy() {
  const end = performance.now() + HEALTHY_MS;
  const [trainer] = containersOf("trainer");
  while (docker("inspect", "--format", "{{.State.Health.Status}}", trainer).trim() !== "healthy") {
    if (performance.now() > end) throw new Error(`the trainer is not healthy after ${HEALTHY_MS / 1000} s`);
    await new Promise((resolve) => setTimeout(resolve, 1000));
  }
}

/** Runs an iteration by the command line. @param onStep is told of each step. @returns digest and seconds */
async function iterate(name, onStep) {
  const started = performance.now();
  const settings = [
    "--steps",
    values.steps,
    "--batch",
    "8",
    "--sampling-batch",
    "2",
    "--sampling-steps",
    "10",
    "--guidance",
    "1",
  ];
  const args = [
    "run",
    "--trainer",
    TRAINER,
    "--base",
    "base",
    "--dataset",
    "emoji/winners",
    "--name",
    name,
    ...settings,
    "--json",
  ];
  const child = spawn(process.execPath, ["bin/spin-diffusion.mjs", ...args], {
    cwd: ROOT,
    stdio: ["ignore", "pipe", "pipe"],
  });
  let out = "";
  child.stdout.on("data", (data) => (out += data));
  createInterface({ input: child.stderr }).on("line", (line) => {
    process.stderr.write(`${name}: ${line}\n`);
    const [, step] = /^\S+ +(\d+)\/\d+ /.exec(line) ?? [];
    if (step !== undefined) onStep(Number(step));
  });
  const code = await new Promise((resolve) => child.once("close", resolve));
  if (code !== 0) throw new Error(`${name}: the command line ended with ${code}`);
  const { checkpoints } = JSON.parse(out);
  return { digest: checkpoints.at(-1).digest, seconds: (performance.now() - started) / 1000 };
}

const paused = [];
let interrupted;
process.once("SIGINT", () => (interrupted = new Error("interrupted")));
const checkpoint = () => {
  if (interrupted !== undefined) throw interrupted;
};
try {
  const build = values["no-build"] ? [] : ["--build"];
  compose(["up", "--detach", ...build, "--scale", `generator=${replicas}`]);
  await untilHealthy();
  checkpoint();
  const undisturbed = await iterate("undisturbed", () => undefined);
  checkpoint();
  const containers = containersOf("generator");
  if (containers.length !== replicas) throw new Error(`${containers.length} replicas run, expected ${replicas}`);
  let struck = false;
  const disturbed = await iterate("disturbed", (step) => {
    if (struck || step < STEPS_BEFORE) return;
    struck = true;
    const [one, other] = containers;
    docker("kill", one);
    docker("pause", other);
    paused.push(other);
    process.stderr.write(`killed ${one.slice(0, 12)}, paused ${other.slice(0, 12)}\n`);
  });
  if (!struck) throw new Error("the iteration was over before anything was killed");
  for (const [name, { digest, seconds }] of Object.entries({ undisturbed, disturbed })) {
    process.stdout.write(`${name.padEnd(11)} ${digest} ${seconds.toFixed(1)} s\n`);
  }
  if (disturbed.digest !== undisturbed.digest) throw new Error("the digests differ");
  process.stdout.write(`the same digest with ${replicas} replicas, one of them killed and one paused\n`);
} finally {
  for (const container of paused) docker("unpause", container);
  compose(["down", "--volumes", "--timeout", "1"]);
}

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createWriteStream } from "node:fs";
import { mkdir } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { SpinError } from "../core/errors.js";
import { RpcChannel } from "../core/service/client.js";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));

/** The three services as processes of their own, on loopback. */
export interface DemoServices {
  readonly generator: RpcChannel;
  readonly trainer: RpcChannel;
  readonly evaluator: RpcChannel;
  /** Rejects when a service ends by itself, or at an interruption. */
  readonly failed: Promise<never>;
  stop(): Promise<void>;
}

/**
 * Starts generator, trainer and evaluator with their folders under `folder`; logs go to `folder`/logs.
 * @param interrupted rejects when the work is to end
 * @param settings more environment variables for all three
 */
export async function startServices(
  folder: string,
  interrupted: Promise<never>,
  settings: Readonly<Record<string, string>> = {},
): Promise<DemoServices> {
  const [generator, trainer, evaluator] = [await freePort(), await freePort(), await freePort()];
  const at = (port: number) => `127.0.0.1:${port}`;
  const logs = join(folder, "logs");
  await mkdir(logs, { recursive: true });
  const shared = { MODEL_DIR: join(ROOT, "demo"), HOST: "127.0.0.1", THREADS: "1", ...settings };
  const children = [
    start("generator", logs, {
      ...shared,
      PORT: String(generator),
      CHECKPOINT_ADDRESS: at(trainer),
      CACHE_DIR: join(folder, "cache"),
    }),
    start("trainer", logs, {
      ...shared,
      PORT: String(trainer),
      GENERATOR_ADDRESS: at(generator),
      RUNS_DIR: join(folder, "runs"),
      // The base is in half precision; an iteration's updates are not to be rounded away between two of them.
      CHECKPOINT_DTYPE: "float32",
    }),
    start("evaluator", logs, {
      ...shared,
      PORT: String(evaluator),
      GENERATOR_ADDRESS: at(generator),
      EVALUATIONS_DIR: join(folder, "evaluations"),
    }),
  ];
  const failed = Promise.race([interrupted, ...children.map(({ ended }) => ended)]);
  failed.catch(() => undefined); // whoever works with the services waits for it
  const channels = [generator, trainer, evaluator].map((port) => new RpcChannel(at(port)));
  const stop = async () => {
    for (const channel of channels) channel.close();
    await Promise.all(children.map(({ stop }) => stop()));
  };
  try {
    await Promise.race([Promise.all(channels.map((channel) => channel.waitForReady(300_000))), failed]);
  } catch (error) {
    await stop();
    throw error;
  }
  return { generator: channels[0]!, trainer: channels[1]!, evaluator: channels[2]!, failed, stop };
}

function start(name: string, logs: string, environment: Readonly<Record<string, string>>) {
  const log = join(logs, `${name}.log`);
  const child = spawn(process.execPath, [join(ROOT, "dist", name, "main.js")], {
    env: { ...process.env, ...environment },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const file = createWriteStream(log);
  child.stdout.pipe(file, { end: false });
  child.stderr.pipe(file, { end: false });
  let stopping = false;
  const ended = once(child, "exit").then(([code]): never => {
    if (stopping) return new Promise(() => undefined) as never;
    throw new SpinError("internal", `the ${name} stopped with code ${code}`, { file: log, remedy: `see ${log}` });
  });
  return {
    ended,
    stop: async () => {
      stopping = true;
      await terminate(child);
    },
  };
}

/** Asks politely, as an orchestrator does; a service that does not listen for ten seconds is killed. */
async function terminate(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, "exit");
  child.kill("SIGTERM");
  const timer = setTimeout(() => child.kill("SIGKILL"), 10_000);
  await exited;
  clearTimeout(timer);
}

/** A port that is free now; the services bind theirs a moment later. */
async function freePort(): Promise<number> {
  const server = createServer();
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, "close");
  return port;
}

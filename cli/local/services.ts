import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createWriteStream } from "node:fs";
import { mkdir } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import { SpinError } from "../../core/errors.js";
import { PROJECT_ROOT } from "../../core/project-root.js";
import { CALLER_SETTINGS, DOOR_SETTINGS } from "../../core/service/doors/settings.js";
import { callOwnServices } from "../remote/caller.js";

/** Where the services of one machine find and keep things. */
export interface LocalSettings {
  /** Runs, evaluations, fetched checkpoints and logs are kept below it. */
  readonly folder: string;
  /** Models and scorers. */
  readonly modelDir: string;
  /** Default: the services' own. */
  readonly dataDir?: string;
  readonly dataIndexDir?: string;
  /** Threads of each service. */
  readonly threads: number;
  /** Further environment of each service. */
  readonly environment?: Readonly<Record<string, string>>;
}

/** The three services as processes of their own, on loopback. */
export interface LocalServices {
  /** Addresses, as `127.0.0.1:50051`. */
  readonly generator: string;
  readonly trainer: string;
  readonly evaluator: string;
  /** Their processes, in this order. */
  readonly processes: readonly ServiceProcess[];
  /** Rejects when a service ends by itself. */
  readonly failed: Promise<never>;
  stop(): Promise<void>;
}

/** Empty, so unset: certificates and tokens in the environment are of services that others reach. */
const NO_DOORS: Readonly<Record<string, string>> = Object.fromEntries(
  [DOOR_SETTINGS.serverCert, DOOR_SETTINGS.serverKey, DOOR_SETTINGS.clientCa, DOOR_SETTINGS.tokensFile]
    .concat(Object.values(CALLER_SETTINGS))
    .map(({ variable }): [string, string] => [variable, ""])
    .concat([
      ["SPIN_TOKEN", ""],
      ["HEALTH_PORT", ""],
    ]),
);

/** Starts generator, trainer and evaluator; whoever connects waits until they answer. Logs go to `<folder>/logs`. */
export async function startLocalServices(settings: LocalSettings): Promise<LocalServices> {
  const { folder, modelDir, dataDir, dataIndexDir, threads, environment } = settings;
  callOwnServices();
  const [generator, trainer, evaluator] = [await freePort(), await freePort(), await freePort()];
  const at = (port: number) => `127.0.0.1:${port}`;
  const logs = join(folder, "logs");
  await mkdir(logs, { recursive: true });
  const shared = {
    ...NO_DOORS,
    MODEL_DIR: modelDir,
    HOST: "127.0.0.1",
    THREADS: String(threads),
    ...(dataDir === undefined ? {} : { DATA_DIR: dataDir }),
    ...(dataIndexDir === undefined ? {} : { DATA_INDEX_DIR: dataIndexDir }),
    ...environment,
  };
  const processes = [
    startService("generator", logs, {
      ...shared,
      PORT: String(generator),
      CHECKPOINT_ADDRESS: at(trainer),
      CACHE_DIR: join(folder, "cache"),
    }),
    startService("trainer", logs, {
      ...shared,
      PORT: String(trainer),
      GENERATOR_ADDRESS: at(generator),
      RUNS_DIR: join(folder, "runs"),
      // A base in half precision would round an iteration's updates away between two of them.
      CHECKPOINT_DTYPE: "float32",
    }),
    startService("evaluator", logs, {
      ...shared,
      PORT: String(evaluator),
      GENERATOR_ADDRESS: at(generator),
      EVALUATIONS_DIR: join(folder, "evaluations"),
    }),
  ];
  const failed = Promise.race(processes.map(({ ended }) => ended));
  failed.catch(() => undefined); // whoever works with the services waits for it
  return {
    generator: at(generator),
    trainer: at(trainer),
    evaluator: at(evaluator),
    processes,
    failed,
    stop: async () => {
      await Promise.all(processes.map(({ stop }) => stop()));
    },
  };
}

/** A service in a process of its own. */
export interface ServiceProcess {
  readonly pid: number;
  /** Rejects when it ends by itself. */
  readonly ended: Promise<never>;
  stop(): Promise<void>;
}

/**
 * Starts a service, as it was built.
 * @param logs folder that its output goes to, as `<label>.log`
 */
export function startService(
  name: "generator" | "trainer" | "evaluator",
  logs: string,
  environment: Readonly<Record<string, string>>,
  label: string = name,
): ServiceProcess {
  const log = join(logs, `${label}.log`);
  const child = spawn(process.execPath, [join(PROJECT_ROOT, "dist", name, "main.js")], {
    env: { ...process.env, ...environment },
    stdio: ["ignore", "pipe", "pipe"],
    // A terminal's Ctrl-C is for this process, which stops the services in order.
    detached: true,
  });
  const file = createWriteStream(log);
  child.stdout.pipe(file, { end: false });
  child.stderr.pipe(file, { end: false });
  let stopping = false;
  const ended: Promise<never> = once(child, "exit").then(([code]): never => {
    if (stopping) return new Promise(() => undefined) as never;
    throw new SpinError("internal", `the ${name} stopped with code ${code}`, { file: log, remedy: `see ${log}` });
  });
  ended.catch(() => undefined); // whoever works with the service waits for it
  return {
    pid: child.pid!,
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
export async function freePort(): Promise<number> {
  const server = createServer();
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, "close");
  return port;
}

import { type ChildProcess, spawn } from "node:child_process";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { RpcChannel } from "../../core/service/client.js";
import { freePorts } from "./services.js";

const MAIN = fileURLToPath(new URL("../../dist/trainer/main.js", import.meta.url));

/** A trainer in a process of its own, as it was built, so that it can be killed. */
export interface TrainerProcess {
  readonly channel: RpcChannel;
  readonly process: ChildProcess;
  /** What it has logged as errors. */
  errors(): string;
  /** Resolves to the exit code, or to the signal's name. */
  readonly exit: Promise<number | string | null>;
}

export interface ProcessOptions {
  readonly modelDir: string;
  readonly generators: readonly string[];
  /** The largest file that it may write: a disk that is full. */
  readonly maxFileKiB?: number;
  /** Further settings, by their variables. */
  readonly env?: Readonly<Record<string, string>>;
  /** It is to end by itself: nobody waits until it answers. */
  readonly expectExit?: boolean;
  /** Default: a free one. */
  readonly port?: number;
  /** Seconds without a generator. */
  readonly patience?: number;
}

export async function startTrainerProcess(folder: string, options: ProcessOptions): Promise<TrainerProcess> {
  const [port] = options.port === undefined ? await freePorts(1) : [options.port];
  const limit = options.maxFileKiB === undefined ? "" : `ulimit -f ${options.maxFileKiB}; `;
  const child = spawn("bash", ["-c", `${limit}exec "$0" "${MAIN}"`, process.execPath], {
    env: {
      PATH: process.env.PATH,
      PORT: String(port),
      MODEL_DIR: options.modelDir,
      RUNS_DIR: join(folder, "runs"),
      GENERATOR_ADDRESS: options.generators.join(","),
      GENERATOR_PATIENCE: String(options.patience ?? 120),
      THREADS: "1",
      LOG_LEVEL: "error",
      ...options.env,
    },
    stdio: ["ignore", "pipe", "inherit"],
  });
  let errors = "";
  child.stdout.on("data", (data: Buffer) => (errors += String(data)));
  const exit = new Promise<number | string | null>((resolve) => {
    child.once("exit", (code, signal) => resolve(signal ?? code));
  });
  const channel = new RpcChannel(`127.0.0.1:${port}`);
  if (options.expectExit !== true) await channel.waitForReady(60_000);
  return { channel, process: child, exit, errors: () => errors };
}

import { resolve } from "node:path";
import { SpinError } from "../../core/errors.js";
import { RpcChannel } from "../../core/service/client.js";
import { localThreads } from "../plan/plan.js";
import { untilInterrupted } from "../remote/interrupt.js";
import { type LocalServices, startLocalServices } from "./services.js";

/** Services of a command's own. */
export interface LocalOptions {
  /** Their runs, checkpoints, evaluations and logs are kept below it. */
  readonly stateDir: string;
  readonly modelDir: string;
  readonly dataDir?: string;
  /** Of each service; default: half of the cores. */
  readonly threads?: number;
}

/** How long services may take until they answer. */
const START_MS = 300_000;

/**
 * Works with services that are started here and stopped afterwards, Ctrl-C included; or, without options, with those that are there.
 * @throws SpinError "cancelled" at an interruption, and whatever ends the work or a service
 */
export async function withLocalServices<T>(
  options: LocalOptions | undefined,
  work: (services: LocalServices | undefined, signal: AbortSignal) => Promise<T>,
): Promise<T> {
  if (options === undefined) return untilInterrupted("the run", (signal) => work(undefined, signal));
  const { stateDir, modelDir, dataDir, threads = localThreads() } = options;
  const services = await startLocalServices({
    folder: resolve(stateDir),
    modelDir: resolve(modelDir),
    dataDir: dataDir === undefined ? undefined : resolve(dataDir),
    threads,
  });
  const controller = new AbortController();
  const interrupted = new Promise<never>((_, reject) => {
    controller.signal.addEventListener("abort", () => reject(controller.signal.reason as Error), { once: true });
  });
  interrupted.catch(() => undefined); // raced below
  const interrupt = () => {
    const remedy = "the same command goes on where it stopped";
    controller.abort(new SpinError("cancelled", "interrupted", { remedy }));
  };
  process.once("SIGINT", interrupt).once("SIGTERM", interrupt);
  try {
    const ready = Promise.all([services.generator, services.trainer, services.evaluator].map(answering));
    await Promise.race([ready, services.failed, interrupted]);
    const working = work(services, controller.signal);
    working.catch(() => undefined); // an interruption ends it, too
    return await Promise.race([working, services.failed, interrupted]);
  } finally {
    process.off("SIGINT", interrupt).off("SIGTERM", interrupt);
    await services.stop();
  }
}

async function answering(address: string): Promise<void> {
  const channel = new RpcChannel(address);
  try {
    await channel.waitForReady(START_MS);
  } finally {
    channel.close();
  }
}

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { FaultProxy } from "../../support/fault-proxy.js";
import { freePorts } from "../../support/services.js";

const MAIN = (service: string) => fileURLToPath(new URL(`../../../dist/${service}/main.js`, import.meta.url));

/** A service in a process of its own that comes back on the same port, as an orchestrator would have it. */
class Service {
  readonly #name: string;
  readonly #env: Readonly<Record<string, string>>;
  #child: ChildProcess;
  #stopped: boolean = false;
  output = "";

  constructor(name: string, env: Readonly<Record<string, string>>) {
    this.#name = name;
    this.#env = env;
    this.#child = this.#start();
  }

  /** SIGKILL; it is started again after the delay. */
  async kill(delayMs: number): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.#ended();
    await new Promise((resolve) => setTimeout(resolve, delayMs));
    if (!this.#stopped) this.#child = this.#start();
  }

  /** SIGSTOP, and SIGCONT after a while. */
  async pause(ms: number): Promise<void> {
    const child = this.#child;
    child.kill("SIGSTOP");
    await new Promise((resolve) => setTimeout(resolve, ms));
    child.kill("SIGCONT");
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#child.kill("SIGKILL");
    await this.#ended();
  }

  async #ended(): Promise<void> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) await once(this.#child, "exit");
  }

  #start(): ChildProcess {
    const env = { PATH: process.env.PATH, THREADS: "1", LOG_LEVEL: "warn", ...this.#env };
    const child = spawn(process.execPath, [MAIN(this.#name)], { env, stdio: ["ignore", "pipe", "pipe"] });
    for (const stream of [child.stdout, child.stderr]) {
      stream.on("data", (data: Buffer) => (this.output = (this.output + String(data)).slice(-20_000)));
    }
    return child;
  }
}

/** Trainer and generator, with a link between them that fails on demand. */
export interface FaultyServices {
  readonly trainer: Service;
  readonly generator: Service;
  readonly network: FaultProxy;
  readonly trainerAddress: string;
  stop(): Promise<void>;
}

/** @param folder of this run; @param modelDir with the model `tiny` */
export async function startFaultyServices(folder: string, modelDir: string): Promise<FaultyServices> {
  const [trainerPort, generatorPort, linkPort] = (await freePorts(3)) as [number, number, number];
  const network = await FaultProxy.listen(linkPort, generatorPort);
  const generator = new Service("generator", {
    PORT: String(generatorPort),
    MODEL_DIR: modelDir,
    CACHE_DIR: join(folder, "cache"),
    CHECKPOINT_ADDRESS: `127.0.0.1:${trainerPort}`,
  });
  const trainer = new Service("trainer", {
    PORT: String(trainerPort),
    MODEL_DIR: modelDir,
    RUNS_DIR: join(folder, "runs"),
    GENERATOR_ADDRESS: network.address,
    TRAINING_STATE_INTERVAL: "2",
    BATCH_TIMEOUT: "20",
    GENERATOR_PATIENCE: "300",
  });
  const stop = async () => {
    await Promise.all([trainer.stop(), generator.stop()]);
    await network.close();
  };
  return { trainer, generator, network, trainerAddress: `127.0.0.1:${trainerPort}`, stop };
}

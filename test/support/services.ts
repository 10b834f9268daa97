import { createServer } from "node:net";
import { join } from "node:path";
import { RpcChannel } from "../../core/service/client.js";
import { readConfig } from "../../core/service/config.js";
import { GENERATOR_SETTINGS } from "../../generator/config.js";
import { type RunningGenerator, startGenerator } from "../../generator/start.js";
import { TRAINER_SETTINGS } from "../../trainer/config.js";
import { type RunningTrainer, startTrainer } from "../../trainer/start.js";

/** Below those that systems give to outgoing connections, which might take one between this moment and the service's. */
const PORTS = { from: 10_000, to: 32_000 };
const handedOut = new Set<number>();

/** Ports that nothing listens on, for services that must know each other's address before they start. */
export async function freePorts(count: number): Promise<number[]> {
  const found: number[] = [];
  while (found.length < count) {
    const port = PORTS.from + Math.floor(Math.random() * (PORTS.to - PORTS.from));
    if (handedOut.has(port) || !(await isFree(port))) continue;
    handedOut.add(port);
    found.push(port);
  }
  return found;
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer();
  return new Promise((resolve) => {
    server.once("error", () => resolve(false));
    server.listen(port, "127.0.0.1", () => server.close(() => resolve(true)));
  });
}

/** Starts a generator on loopback, quiet, with its cache under `folder`. */
export function startTestGenerator(
  folder: string,
  options: { readonly modelDir: string; readonly port?: number; readonly trainer?: string },
): Promise<RunningGenerator> {
  const { modelDir, port = 0, trainer } = options;
  const flags = {
    port: String(port),
    modelDir,
    cacheDir: join(folder, `generator-${port}`),
    checkpointAddress: trainer,
  };
  return startGenerator(readConfig(GENERATOR_SETTINGS, { ...flags, threads: "1", logLevel: "silent" }, {}));
}

/** Starts a trainer on loopback, quiet, with its runs under `folder`. */
export function startTestTrainer(
  folder: string,
  options: { readonly modelDir: string; readonly generators: readonly string[]; readonly port?: number },
): Promise<RunningTrainer> {
  const { modelDir, generators, port = 0 } = options;
  const flags = {
    port: String(port),
    modelDir,
    runsDir: join(folder, "runs"),
    generatorAddresses: generators.join(","),
  };
  return startTrainer(readConfig(TRAINER_SETTINGS, { ...flags, threads: "1", logLevel: "silent" }, {}));
}

/** A channel that a test closes itself. */
export function channelTo(service: { readonly address: string }): RpcChannel {
  return new RpcChannel(service.address);
}

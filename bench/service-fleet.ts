import { join } from "node:path";
import { freePort, type ServiceProcess, startService } from "../cli/local/services.js";
import { RpcChannel } from "../core/service/client.js";

/** How long services may take until they answer, in milliseconds. */
const START_MS = 120_000;

/** Generators, and a trainer over them where one is asked for, as processes of their own on loopback. */
export interface ServiceFleet {
  readonly generators: readonly ServiceProcess[];
  readonly generatorAddresses: readonly string[];
  readonly trainer?: ServiceProcess;
  readonly trainerAddress: string;
  stop(): Promise<void>;
}

export interface FleetSettings {
  /** Everything that services keep goes below it. */
  readonly folder: string;
  readonly modelDir: string;
  readonly generators: number;
  readonly hasTrainer: boolean;
  /** Further environment of each service. */
  readonly environment?: Readonly<Record<string, string>>;
}

/** Starts them with one thread each, and waits until all answer. */
export async function startFleet(settings: FleetSettings): Promise<ServiceFleet> {
  const { folder, modelDir, hasTrainer, environment } = settings;
  const shared = { HOST: "127.0.0.1", MODEL_DIR: modelDir, THREADS: "1", LOG_LEVEL: "error", ...environment };
  const ports: number[] = [];
  for (let i = 0; i <= settings.generators; i++) ports.push(await freePort());
  const [trainerAddress, ...generatorAddresses] = ports.map((port) => `127.0.0.1:${port}`) as [string, ...string[]];
  const generators = generatorAddresses.map((_, i) => {
    const own = {
      PORT: String(ports[i + 1]),
      CHECKPOINT_ADDRESS: trainerAddress,
      CACHE_DIR: join(folder, `cache-${i}`),
    };
    return startService("generator", folder, { ...shared, ...own }, `generator-${i}`);
  });
  const own = {
    PORT: String(ports[0]),
    GENERATOR_ADDRESS: generatorAddresses.join(","),
    RUNS_DIR: join(folder, "runs"),
    CHECKPOINT_DTYPE: "float32",
  };
  const trainer = hasTrainer ? startService("trainer", folder, { ...shared, ...own }) : undefined;
  const processes = [...generators, ...(trainer === undefined ? [] : [trainer])];
  const stop = async () => {
    await Promise.all(processes.map((one) => one.stop()));
  };
  try {
    for (const address of [...generatorAddresses, ...(trainer === undefined ? [] : [trainerAddress])]) {
      const channel = new RpcChannel(address);
      await Promise.race([channel.waitForReady(START_MS), ...processes.map(({ ended }) => ended)]);
      channel.close();
    }
  } catch (error) {
    await stop();
    throw error;
  }
  return { generators, generatorAddresses, trainer, trainerAddress, stop };
}

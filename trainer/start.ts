import { requireDevice } from "../core/runtime/devices.js";
import { Caller } from "../core/service/doors/caller.js";
import { createLogger } from "../core/service/logging.js";
import { startServer } from "../core/service/server.js";
import { BaseModels } from "./base-models.js";
import { checkpointService } from "./checkpoint-service.js";
import { Checkpoints } from "./checkpoints.js";
import type { TrainerConfig } from "./config.js";
import { Generators } from "./draws/generators.js";
import { Iterations } from "./iterations.js";
import { RunStore } from "./jobs/run-store.js";
import { Runs } from "./runs.js";
import { trainerService } from "./service.js";

/** A trainer at work. */
export interface RunningTrainer {
  /** As `127.0.0.1:50052`. */
  readonly address: string;
  /** Ends the iteration at work after the computation at hand, answers its watchers, and lets go of everything. */
  stop(): Promise<void>;
}

/**
 * Starts a trainer: what it kept of earlier runs, the connections to its generators, its server.
 *
 * @throws SpinError "precondition" where the port is in use or the device does not work, and of any kind where RUNS_DIR cannot be used
 */
export async function startTrainer(config: TrainerConfig): Promise<RunningTrainer> {
  const { host, port, runsDir, modelDir } = config;
  const log = createLogger("trainer", config.logLevel);
  const caller = await Caller.open(config, process.env.SPIN_TOKEN);
  const device = await requireDevice(config.device, "DEVICE");
  const store = await RunStore.open(runsDir);
  const runIds = store.runs.map(({ run }) => run.runId);
  const checkpoints = await Checkpoints.open(runsDir, runIds, log);
  const models = new BaseModels(modelDir, checkpoints);
  const runs = new Runs(store, models, { dataDir: config.dataDir, indexDir: config.dataIndexDir });
  const generators = await Generators.connect(config.generatorAddresses, log, { caller });
  try {
    const iterations = await Iterations.open({
      config: { ...config, device },
      store,
      runs,
      models,
      checkpoints,
      generators,
      log,
    });
    const services = [trainerService(runs, iterations), checkpointService(checkpoints)];
    const server = await startServer({ host, port, services, log, doors: config });
    server.setServing(true);
    const address = `${host.includes(":") ? `[${host}]` : host}:${server.port}`;
    log.info({ address, generators: config.generatorAddresses, runsDir }, "trainer is ready");
    const stop = async () => {
      server.setServing(false);
      await iterations.stop();
      await server.stop();
      await generators.close();
    };
    let stopped: Promise<void> | undefined;
    return {
      address,
      stop: () => {
        stopped ??= stop();
        return stopped;
      },
    };
  } catch (error) {
    await generators.close();
    throw error;
  }
}

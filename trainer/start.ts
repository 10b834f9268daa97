import { type FolderLock, lockFolder } from "../core/checkpoint/folder-lock.js";
import { requireDevice } from "../core/runtime/devices.js";
import { DiskRoom } from "../core/service/disk-room.js";
import { Caller } from "../core/service/doors/caller.js";
import { createLogger, type Logger } from "../core/service/logging.js";
import { startServer } from "../core/service/server.js";
import { BaseModels } from "./base-models.js";
import { checkpointService } from "./checkpoint-service.js";
import { Checkpoints } from "./checkpoints.js";
import type { TrainerConfig } from "./config.js";
import { trainerConfiguration } from "./configuration.js";
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
 * @throws SpinError "precondition" where the port is in use, the device does not work, another trainer has RUNS_DIR, or an unfinished
 * iteration there was begun under another configuration, and of any kind where RUNS_DIR cannot be used
 */
export async function startTrainer(config: TrainerConfig): Promise<RunningTrainer> {
  const { runsDir } = config;
  const log = createLogger("trainer", config.logLevel);
  const lock = await lockFolder(runsDir);
  try {
    return await startOn(config, log, lock);
  } catch (error) {
    await lock.release();
    throw error;
  }
}

async function startOn(config: TrainerConfig, log: Logger, lock: FolderLock): Promise<RunningTrainer> {
  const { host, port, runsDir, modelDir } = config;
  const caller = await Caller.open(config, process.env.SPIN_TOKEN);
  const device = await requireDevice(config.device, "DEVICE");
  const store = await RunStore.open(runsDir);
  const runIds = store.runs.map(({ run }) => run.runId);
  const checkpoints = await Checkpoints.open(runsDir, runIds, log);
  const models = new BaseModels(modelDir, checkpoints);
  const disk = new DiskRoom("RUNS_DIR", runsDir, config.minFreeDiskMb);
  const runs = new Runs(store, models, disk, { dataDir: config.dataDir, indexDir: config.dataIndexDir });
  const generators = await Generators.connect(config.generatorAddresses, log, { caller });
  try {
    const computing = { ...config, device };
    const configuration = await trainerConfiguration(computing);
    const kept = { store, runs, models, checkpoints, disk };
    const iterations = await Iterations.open({ config: computing, configuration, ...kept, generators, log });
    const services = [trainerService(runs, iterations), checkpointService(checkpoints)];
    iterations.resume(); // Before anybody can ask for another.
    const server = await startServer({ host, port, services, log, doors: config }).catch(async (error: unknown) => {
      await iterations.stop();
      throw error;
    });
    server.setServing(true);
    const unwatch = disk.watch();
    const address = `${host.includes(":") ? `[${host}]` : host}:${server.port}`;
    log.info({ address, generators: config.generatorAddresses, runsDir }, "trainer is ready");
    const stop = async () => {
      server.setServing(false);
      unwatch();
      await iterations.stop();
      await server.stop();
      await generators.close();
      await lock.release();
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

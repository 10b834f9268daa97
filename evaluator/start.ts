import { requireDevice } from "../core/runtime/devices.js";
import { WorkerClient } from "../core/runtime/worker-client.js";
import { RpcChannel } from "../core/service/client.js";
import { DiskRoom } from "../core/service/disk-room.js";
import { Caller } from "../core/service/doors/caller.js";
import { createLogger } from "../core/service/logging.js";
import { startServer } from "../core/service/server.js";
import type { EvaluatorConfig } from "./config.js";
import { EvaluationStore } from "./evaluation-store.js";
import { Evaluations } from "./evaluations.js";
import type { ScoreMethods } from "./score-worker.js";
import { evaluatorService } from "./service.js";

/** An evaluator at work. */
export interface RunningEvaluator {
  /** As `127.0.0.1:50053`. */
  readonly address: string;
  /** Ends evaluations between two steps, answers their watchers, and lets go of everything. */
  stop(): Promise<void>;
}

/**
 * Starts an evaluator: its compute worker, what it kept of earlier evaluations, its server.
 *
 * @throws SpinError `precondition` where the port is in use or the device does not work, and of any kind where EVALUATIONS_DIR cannot be used.
 */
export async function startEvaluator(config: EvaluatorConfig): Promise<RunningEvaluator> {
  const { host, port, modelDir, threads } = config;
  const device = await requireDevice(config.device, "DEVICE");
  const log = createLogger("evaluator", config.logLevel);
  const caller = await Caller.open(config, process.env.SPIN_TOKEN);
  const store = new EvaluationStore(config.evaluationsDir);
  const disk = new DiskRoom("EVALUATIONS_DIR", config.evaluationsDir, config.minFreeDiskMb);
  const generator = new RpcChannel(config.generatorAddress, { caller });
  const worker = new WorkerClient<ScoreMethods>(new URL("./score-worker.js", import.meta.url));
  const release = async () => {
    generator.close();
    await worker.stop();
  };
  try {
    const evaluations = await Evaluations.open(
      {
        store,
        disk,
        generator,
        worker,
        modelDir,
        data: { dataDir: config.dataDir, indexDir: config.dataIndexDir },
        session: { threads, device },
      },
      log,
    );
    const server = await startServer({
      host,
      port,
      services: [evaluatorService(evaluations, store)],
      log,
      doors: config,
    });
    server.setServing(true);
    const unwatch = disk.watch();
    const address = `${host.includes(":") ? `[${host}]` : host}:${server.port}`;
    log.info({ address, generator: config.generatorAddress }, "evaluator is ready");
    const stop = async () => {
      server.setServing(false);
      unwatch();
      await evaluations.stop();
      await server.stop();
      await release();
    };
    let stopped: Promise<void> | undefined;
    return { address, stop: () => (stopped ??= stop()) };
  } catch (error) {
    await release();
    throw error;
  }
}

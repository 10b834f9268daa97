import { availableParallelism } from "node:os";
import { join } from "node:path";
import { FolderDigests } from "../core/checkpoint/folder-digests.js";
import { requireDevice } from "../core/runtime/devices.js";
import { computeEnvironment, processorName } from "../core/runtime/fingerprint.js";
import { withDigest } from "../core/service/digests.js";
import { DiskRoom } from "../core/service/disk-room.js";
import { Caller } from "../core/service/doors/caller.js";
import { createLogger } from "../core/service/logging.js";
import { startServer } from "../core/service/server.js";
import { VERSION } from "../core/version.js";
import { CheckpointCache } from "./checkpoint-cache.js";
import { CheckpointSource } from "./checkpoint-source.js";
import { CheckpointStore } from "./checkpoint-store.js";
import { Compute } from "./compute.js";
import type { GeneratorConfig } from "./config.js";
import { generatorService } from "./service.js";

/** A generator at work. */
export interface RunningGenerator {
  /** As `127.0.0.1:50051`. */
  readonly address: string;
  /** Ends streams after the run at hand, answers their callers, and lets go of everything. */
  stop(): Promise<void>;
}

/**
 * Starts a generator: its compute worker, its checkpoint store, its server.
 *
 * @throws SpinError `precondition` where the port is in use or the device does not work, "invalid" for what is no device
 */
export async function startGenerator(config: GeneratorConfig): Promise<RunningGenerator> {
  const { host, port, modelDir, cacheDir, cacheBytes, checkpointAddress } = config;
  const device = await requireDevice(config.device, "DEVICE");
  const log = createLogger("generator", config.logLevel);
  const caller = await Caller.open(config, process.env.SPIN_TOKEN);
  const threads = config.threads || availableParallelism();
  const disk = new DiskRoom("CACHE_DIR", cacheDir, config.minFreeDiskMb);
  const fingerprint = withDigest(await computeEnvironment(device, threads));
  const settings = {
    session: { threads, device },
    maxLoaded: config.maxLoaded,
    encodedBytes: config.encodedBytes,
    encodedDisk:
      config.encodedDiskBytes === 0
        ? undefined
        : {
            folder: join(cacheDir, "encoded"),
            maxBytes: config.encodedDiskBytes,
            minFreeBytes: disk.reserved,
            fingerprint: fingerprint.digest,
          },
    data: { dataDir: config.dataDir, indexDir: config.dataIndexDir },
  };
  const compute = await Compute.start(settings, config.queueCapacity);
  const store = new CheckpointStore({
    modelDir,
    cache: new CheckpointCache(join(cacheDir, "checkpoints"), cacheBytes, disk),
    digests: new FolderDigests(),
    source: checkpointAddress === undefined ? undefined : new CheckpointSource(checkpointAddress, caller),
    log,
  });
  const release = async () => {
    store.stop();
    await compute.stop();
  };
  try {
    const parts = {
      store,
      compute,
      fingerprint,
      version: VERSION,
      device: device === "cpu" ? `${processorName()} (${threads} threads)` : fingerprint.instructionSet,
    };
    const server = await startServer({ host, port, services: [generatorService(parts)], log, doors: config });
    server.setServing(true);
    const unwatch = disk.watch();
    void compute.failed.then((error) => {
      log.error({ err: error }, "nothing can be served any more");
      server.setServing(false);
    });
    const address = `${host.includes(":") ? `[${host}]` : host}:${server.port}`;
    log.info({ address, device: parts.device, fingerprint: fingerprint.digest }, "generator is ready");
    const stop = async () => {
      unwatch();
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

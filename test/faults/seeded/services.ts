import { join } from "node:path";
import { FaultProxy } from "../../support/fault-proxy.js";
import { freePorts } from "../../support/services.js";
import { FaultyProcess } from "./faulty-process.js";
import type { LinkName, ProcessName } from "./plan.js";
import { SampleCollector } from "./sample-collector.js";

/** A trainer, two replicas of the generator, and a link that fails on demand between any two that talk. */
export interface FaultyServices {
  readonly processes: Readonly<Record<ProcessName, FaultyProcess>>;
  readonly links: Readonly<Record<LinkName, FaultProxy>>;
  /** Of the trainer, with no link between. */
  readonly trainerAddress: string;
  /** Where replica b itself listens. */
  readonly portOfB: number;
  readonly samples: SampleCollector;
  /** Folder of what a process keeps. */
  folderOf(name: ProcessName): string;
  stop(): Promise<void>;
}

/** @param folder of this run; @param modelDir with the model `tiny` */
export async function startFaultyServices(folder: string, modelDir: string): Promise<FaultyServices> {
  const [trainer, a, b, ...free] = (await freePorts(7)) as [number, number, number, ...number[]];
  const samples = await SampleCollector.listen();
  const targets: [LinkName, number][] = [
    ["link a", a],
    ["link b", b],
    ["link weights", trainer],
    ["link client", trainer],
  ];
  const opened = targets.map(async ([name, target], i) => [name, await FaultProxy.listen(free[i]!, target)]);
  const links = Object.fromEntries(await Promise.all(opened)) as Record<LinkName, FaultProxy>;
  const folderOf = (name: ProcessName) => join(folder, name.replace(" ", "-"));
  const generator = (name: ProcessName, port: number) =>
    new FaultyProcess({
      service: "generator",
      folder: folderOf(name),
      env: {
        PORT: String(port),
        MODEL_DIR: modelDir,
        CACHE_DIR: join(folderOf(name), "cache"),
        CHECKPOINT_ADDRESS: links["link weights"].address,
      },
    });
  const processes = {
    "generator a": generator("generator a", a),
    "generator b": generator("generator b", b),
    trainer: new FaultyProcess({
      service: "trainer",
      folder: folderOf("trainer"),
      env: {
        PORT: String(trainer),
        MODEL_DIR: modelDir,
        RUNS_DIR: join(folderOf("trainer"), "runs"),
        GENERATOR_ADDRESS: `${links["link a"].address},${links["link b"].address}`,
        TRAINING_STATE_INTERVAL: "1",
        BATCH_TIMEOUT: "20",
        GENERATOR_PATIENCE: "300",
        OTEL_EXPORTER_OTLP_ENDPOINT: samples.url,
        OTEL_METRIC_EXPORT_INTERVAL: "250",
        OTEL_TRACES_SAMPLER: "always_off",
      },
    }),
  };
  const stop = async () => {
    await Promise.all(Object.values(processes).map((process) => process.stop()));
    await Promise.all(Object.values(links).map((link) => link.close()));
    await samples.close();
  };
  const trainerAddress = `127.0.0.1:${trainer}`;
  return { processes, links, trainerAddress, portOfB: b, samples, folderOf, stop };
}

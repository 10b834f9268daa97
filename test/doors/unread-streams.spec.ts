import { appendFile, mkdir, readFile, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { residentMemory } from "../../bench/compare/process-tree.js";
import { freePort, type ServiceProcess, startService } from "../../cli/local/services.js";
import { createManifest, MANIFEST_FILE, type Manifest } from "../../core/checkpoint/manifest.js";
import { openDataset } from "../../core/data/open-dataset.js";
import { RpcChannel } from "../../core/service/client.js";
import { sleep } from "../../core/service/deadline.js";
import { CheckpointServiceService, ReadFileRequest } from "../../proto/gen/spin/v1/checkpoint_service.js";
import { GeneratorServiceService, SampleTrajectoriesRequest } from "../../proto/gen/spin/v1/generator_service.js";
import { SampleForm } from "../../proto/gen/spin/v1/sampling.js";
import { WatchIterationRequest } from "../../proto/gen/spin/v1/trainer_service.js";
import { channelTo, startTestGenerator, startTestTrainer } from "../support/services.js";
import { useSharedFolder } from "../support/temporary-folder.js";
import { writeTinyModel } from "../support/tiny-model.js";
import { createRun, iterate, smallSpec, succeeded } from "../support/trainer-client.js";
import { openUnreadStream, type Pause } from "../support/unread-stream.js";

/** Services as processes of their own, whose memory is theirs, and clients that ask for gigabytes and read none of them. */

/** Clients at a time, each on a connection of its own. */
const CLIENTS = 12;
/** Of the checkpoint's file, which is sparse: all clients together ask for 3 GiB. */
const FILE_BYTES = 256 * 2 ** 20;
/** Events of the iteration, with its whole specification each: all clients together ask for a gigabyte. */
const EVENTS = 100_000;
/** Memory that all of them may take, in MiB: for each two messages, what Node keeps of a stream, and the collector's slack. */
const BOUND_MIB = 200;
/** Memory is looked at until it has not grown for so long, and no longer than that, in milliseconds. */
const QUIET_MS = 3_000;
const LOOK_MS = 20_000;

const folder = useSharedFolder();
const at = (...path: string[]) => join(folder(), ...path);
const FILE = "unet/diffusion_pytorch_model.safetensors";

let checkpoint: string;
let iterationId: string;
let base: string;
const running: { address: string; process: ServiceProcess; channel: RpcChannel }[] = [];

/** Makes an iteration's checkpoint huge, and its log long. */
async function enlarge(runId: string, digest: string): Promise<string> {
  const kept = at("runs", runId, "checkpoints", digest.slice("sha256:".length));
  const manifest = JSON.parse(await readFile(join(kept, MANIFEST_FILE), "utf8")) as Manifest;
  const large = createManifest(
    manifest.files.map((file) => (file.path === FILE ? { ...file, size: FILE_BYTES } : file)),
  );
  await writeFile(join(kept, MANIFEST_FILE), JSON.stringify(large));
  await truncate(join(kept, FILE), FILE_BYTES);
  const log = at("runs", runId, "iterations", iterationId, "events.jsonl");
  const lines = (await readFile(log, "utf8")).trimEnd().split("\n");
  await appendFile(log, `${lines[0]}\n`.repeat(EVENTS));
  return large.digest;
}

async function start(name: "generator" | "trainer", env: Readonly<Record<string, string>>): Promise<void> {
  const port = await freePort();
  const shared = { MODEL_DIR: at("models"), PORT: String(port), THREADS: "1", LOG_LEVEL: "error" };
  const process = startService(name, at("logs"), { ...shared, ...env });
  const address = `127.0.0.1:${port}`;
  const channel = new RpcChannel(address);
  running.push({ address, process, channel });
  await Promise.race([channel.waitForReady(60_000), process.ended]);
}

beforeAll(async () => {
  base = await writeTinyModel(at("models/tiny"));
  const generator = await startTestGenerator(folder(), { modelDir: at("models") });
  const trainer = await startTestTrainer(folder(), { modelDir: at("models"), generators: [generator.address] });
  const channel = channelTo(trainer);
  const { runId } = await createRun(channel);
  const ended = await iterate(channel, runId, "a", smallSpec("sft", { numSteps: 1 }));
  iterationId = ended.iteration.iterationId;
  const digest = succeeded(ended);
  channel.close();
  await trainer.stop();
  await generator.stop();
  checkpoint = await enlarge(runId, digest);
  await mkdir(at("logs"));
  await start("generator", { CACHE_DIR: at("cache") });
  await start("trainer", { RUNS_DIR: at("runs"), GENERATOR_ADDRESS: running[0]!.address });
}, 240_000);
afterAll(async () => {
  for (const { channel } of running) channel.close();
  for (const { process } of running) await process.stop();
});

/** The most memory that a process has held since its last growth was long ago, in MiB. */
async function settledMemory(pid: number): Promise<number> {
  let most = await residentMemory(pid);
  const end = performance.now() + LOOK_MS;
  for (let last = performance.now(); performance.now() < Math.min(end, last + QUIET_MS); await sleep(100)) {
    const now = await residentMemory(pid);
    if (now > most + 1) [most, last] = [now, performance.now()];
  }
  return most;
}

/**
 * Memory that clients make a service take which read nothing, in MiB; it answers others all the while.
 * @param stalled tells that it has stopped working for them
 */
async function growth(
  service: number,
  path: string,
  request: Uint8Array,
  pause: Pause,
  stalled: () => Promise<void> = () => Promise.resolve(),
): Promise<number> {
  const { address, process, channel } = running[service]!;
  const before = await settledMemory(process.pid);
  const opened = await Promise.all(
    Array.from({ length: CLIENTS }, () => openUnreadStream(address, path, request, pause)),
  );
  try {
    await stalled();
    const after = await settledMemory(process.pid);
    await channel.waitForReady(5_000);
    return after - before;
  } finally {
    for (const one of opened) one.close();
  }
}

/** Resolves once the generator computes nothing for so long, though streams are open that ask for more. */
async function computesNothing(): Promise<void> {
  for (let idle = 0; idle * 100 < QUIET_MS; await sleep(100)) {
    const { generator } = await running[0]!.channel.call(GeneratorServiceService.getGenerator, {});
    const { activeBatches, queueLength } = generator!;
    idle = activeBatches + queueLength === 0 ? idle + 1 : 0;
  }
}

describe.each<Pause>(["stream", "socket"])("clients that do not read, by their %s", (pause) => {
  it("of a checkpoint's file of hundreds of megabytes cost the trainer little memory", async () => {
    const { readFile: method } = CheckpointServiceService;
    const request = ReadFileRequest.encode({ digest: checkpoint, path: FILE, offset: 0n }).finish();
    expect(await growth(1, method.path, request, pause)).toBeLessThan(BOUND_MIB);
    // Whoever reads gets all of it.
    let bytes = 0;
    const asked = { digest: checkpoint, path: FILE, offset: 0n };
    for await (const { data } of running[1]!.channel.stream(method, asked)) bytes += data.length;
    expect(bytes).toBe(FILE_BYTES);
  }, 240_000);

  it("of an iteration's long log cost the trainer little memory", async () => {
    const request = WatchIterationRequest.encode({ iterationId, afterSequence: 0 }).finish();
    expect(await growth(1, "/spin.v1.TrainerService/WatchIteration", request, pause)).toBeLessThan(BOUND_MIB);
  }, 240_000);

  it("of draws make the generator compute a few batches, then none, and others have their turn", async () => {
    const { sampleTrajectories } = GeneratorServiceService;
    const dataset = await openDataset("emoji/winners", "train");
    const asked = SampleTrajectoriesRequest.fromPartial({
      spec: {
        checkpoint: { digest: base },
        dataset: { name: "emoji/winners", digest: dataset.digest, split: "train" },
        seed: 1n,
        iteration: 1,
        form: SampleForm.SAMPLE_FORM_REAL_ONLY,
        settings: { timestepChoice: 1, drawsPerSample: 20, image: { crop: 1 }, dtype: 1, batchSize: 64 },
      },
      numSamples: 64 * 10_000,
    });
    const request = SampleTrajectoriesRequest.encode(asked).finish();
    const one = { ...asked, numSamples: 64 };
    const readers = async () => {
      let batches = 0;
      for await (const _ of running[0]!.channel.stream(sampleTrajectories, one)) batches += 1;
      return batches;
    };
    await readers(); // The model is loaded before memory counts.
    const grown = await growth(0, sampleTrajectories.path, request, pause, computesNothing);
    expect(grown).toBeLessThan(BOUND_MIB);
    expect(await readers()).toBe(1);
  }, 240_000);
});

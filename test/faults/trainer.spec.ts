import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { readManifest, verifyFolder } from "../../core/checkpoint/manifest.js";
import { sleep } from "../../core/service/deadline.js";
import { JobState } from "../../proto/gen/spin/v1/common.js";
import { type Iteration, TrainerServiceService } from "../../proto/gen/spin/v1/trainer_service.js";
import { changeTensor, type Distort, startGeneratorProxy } from "../support/generator-proxy.js";
import { channelTo, freePorts, startTestTrainer } from "../support/services.js";
import { useSharedGenerator } from "../support/shared-generator.js";
import { useTemporaryFolder } from "../support/temporary-folder.js";
import { createRun, iterate, smallSpec, succeeded, watch } from "../support/trainer-client.js";
import { startTrainerProcess, type TrainerProcess } from "../support/trainer-process.js";

/** What the trainer makes of generators that lie or die, of a full disk, and of its own end. */

const folder = useTemporaryFolder();
const { modelDir, generator } = useSharedGenerator();

const stopping: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const stop of stopping.splice(0).reverse()) await stop();
});

async function proxyOf(distort: Distort) {
  const proxy = await startGeneratorProxy(generator(), distort);
  stopping.push(proxy.stop);
  return proxy;
}

async function startTrainer(generators: readonly string[]) {
  const trainer = await startTestTrainer(folder(), { modelDir: modelDir(), generators });
  stopping.push(() => trainer.stop());
  const channel = channelTo(trainer);
  stopping.push(async () => channel.close());
  return channel;
}

const failedAs = (reason: string, message: string): Partial<Iteration> => ({
  state: JobState.JOB_STATE_FAILED,
  checkpointDigest: "",
  failure: { reason, message: expect.stringContaining(message) as string },
});

test.each<[string, Distort, "spinRenoised" | "sft", string, string, number]>([
  [
    "draws that are not numbers",
    (batch) => changeTensor(batch, "real", "target", () => Number.NaN),
    "spinRenoised",
    "CORRUPT",
    "batch.real.target: expected finite numbers, got NaN at 0",
    0,
  ],
  [
    "the digest of other weights",
    (batch) => ({ ...batch, checkpointDigest: `sha256:${"0".repeat(64)}` }),
    "spinRenoised",
    "PRECONDITION",
    "batch.checkpoint_digest: expected",
    0,
  ],
  [
    "errors of other weights under the right digest",
    (batch) => changeTensor(batch, "synthetic", "referenceError", (e) => 1.001 * e),
    "spinRenoised",
    "PRECONDITION",
    "step 1: stale or wrong weights",
    0,
  ],
  [
    "draws beyond all measure",
    (batch) => changeTensor(batch, "real", "target", () => 1e30),
    "sft",
    "DIVERGED",
    "step 1: the loss is Infinity; lower the learning rate",
    0,
  ],
])("a generator that sends %s fails the iteration", async (_, distort, objective, reason, message, steps) => {
  const liar = await proxyOf(distort);
  const channel = await startTrainer([liar.address]);
  const { runId, base } = await createRun(channel);
  const { iteration, events } = await iterate(channel, runId, "a", smallSpec(objective));
  expect(iteration).toMatchObject(failedAs(reason, message));
  expect(iteration.stepsDone).toBe(steps);
  expect(events.some(({ event }) => event?.$case === "checkpoint")).toBe(false);
  const { run } = await channel.call(TrainerServiceService.getRun, { runId });
  expect(run!.latestCheckpointDigest).toBe(base!.digest);
});

test("a generator that dies in the middle changes nothing of the result", async () => {
  const spec = smallSpec("spinRenoised", { numSteps: 6 });
  const alone = await startTrainer([generator().address]);
  const undisturbed = succeeded(await iterate(alone, (await createRun(alone)).runId, "a", spec));

  const dying = await startGeneratorProxy(generator(), (batch) => batch);
  const steady = await proxyOf(async (batch) => {
    await sleep(100);
    return batch;
  });
  const other = join(folder(), "other");
  const trainer = await startTestTrainer(other, { modelDir: modelDir(), generators: [dying.address, steady.address] });
  stopping.push(() => trainer.stop());
  const channel = channelTo(trainer);
  stopping.push(async () => channel.close());
  const { runId } = await createRun(channel);
  const { iteration } = await channel.call(TrainerServiceService.startIteration, { requestId: "a", runId, spec });
  const watching = watch(channel, iteration!.iterationId);
  await sleep(300);
  await dying.stop();
  expect(succeeded(await watching)).toBe(undisturbed);
});

test("without a generator the iteration fails and says what to do", async () => {
  const [port] = await freePorts(1);
  const address = `127.0.0.1:${port}`;
  const trainer = await startTrainerProcess(folder(), { modelDir: modelDir(), generators: [address], patience: 1 });
  stopping.push(() => end(trainer));
  const { runId } = await createRun(trainer.channel);
  const { iteration } = await iterate(trainer.channel, runId, "a", smallSpec("sft"));
  expect(iteration).toMatchObject(failedAs("UNAVAILABLE", `no generator at ${address} has answered for 1 s`));
});

async function end({ channel, process, exit }: TrainerProcess): Promise<void> {
  channel.close();
  process.kill("SIGKILL");
  await exit;
}

test("a full disk fails the iteration and leaves nothing behind; checkpoints from before stay whole", async () => {
  const channel = await startTrainer([generator().address]);
  const before = await createRun(channel);
  const first = succeeded(await iterate(channel, before.runId, "a", smallSpec("sft")));
  for (const stop of stopping.splice(0).reverse()) await stop();

  const full = { modelDir: modelDir(), generators: [generator().address], maxFileKiB: 100 };
  const trainer = await startTrainerProcess(folder(), full);
  stopping.push(() => end(trainer));
  const { runId, base } = await createRun(trainer.channel, "other");
  const { iteration } = await iterate(trainer.channel, runId, "b", smallSpec("sft"));
  expect(iteration).toMatchObject(failedAs("EXHAUSTED", "no space left writing"));
  expect((await trainer.channel.call(TrainerServiceService.getRun, { runId })).run).toMatchObject({
    latestCheckpointDigest: base!.digest,
  });
  const checkpointsOf = (id: string) => join(folder(), "runs", id, "checkpoints");
  expect(await readdir(checkpointsOf(runId))).toEqual([]);
  const saved = join(checkpointsOf(before.runId), first.slice("sha256:".length));
  await verifyFolder(saved, await readManifest(saved));
});

test("a signal stops the process in order", async () => {
  const trainer = await startTrainerProcess(folder(), { modelDir: modelDir(), generators: [generator().address] });
  trainer.process.kill("SIGTERM");
  expect(await trainer.exit).toBe(0);
  trainer.channel.close();
});

test("a checkpoint with one flipped bit is no beginning for the next iteration, which says what differs", async () => {
  const channel = await startTrainer([generator().address]);
  const { runId } = await createRun(channel);
  const digest = succeeded(await iterate(channel, runId, "a", smallSpec("sft")));
  const checkpoint = join(folder(), "runs", runId, "checkpoints", digest.slice("sha256:".length));
  const weights = join(checkpoint, "unet", "diffusion_pytorch_model.safetensors");
  const bytes = await readFile(weights);
  bytes[bytes.length - 1]! ^= 1;
  await writeFile(weights, bytes);
  const { iteration } = await iterate(channel, runId, "b", smallSpec("sft"));
  expect(iteration).toMatchObject(failedAs("CORRUPT", `${checkpoint} has the digest sha256:`));
  expect(iteration.failure!.message).toContain(`expected ${digest}`);
  expect(iteration.stepsDone).toBe(0);
}, 120_000);

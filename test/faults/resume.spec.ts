import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { RunningGenerator } from "../../generator/start.js";
import { JobState } from "../../proto/gen/spin/v1/common.js";
import { TrainerServiceService } from "../../proto/gen/spin/v1/trainer_service.js";
import { type IterationSpec, Precision } from "../../proto/gen/spin/v1/training.js";
import { startTestGenerator } from "../support/services.js";
import { useSharedFolder, useTemporaryFolder } from "../support/temporary-folder.js";
import { writeTinyModel } from "../support/tiny-model.js";
import { createRun, iterate, smallSpec, succeeded, watch } from "../support/trainer-client.js";
import { type ProcessOptions, startTrainerProcess, type TrainerProcess } from "../support/trainer-process.js";

/** A trainer that is killed, and what the next process makes of what it left. */

const folder = useTemporaryFolder();
const shared = useSharedFolder();
const modelDir = () => join(shared(), "models");
const SPEC = smallSpec("spin", { numSteps: 8, checkpointInterval: 3 });
let generator: RunningGenerator;
let undisturbed: string;
let lossesOf: readonly number[];
beforeAll(async () => {
  await writeTinyModel(join(modelDir(), "tiny"));
  generator = await startTestGenerator(shared(), { modelDir: modelDir() });
  const { channel, process, exit } = await startTrainerProcess(join(shared(), "undisturbed"), options());
  const ended = await iterate(channel, (await createRun(channel)).runId, "a", SPEC);
  undisturbed = succeeded(ended);
  lossesOf = ended.steps.map(({ loss }) => loss);
  channel.close();
  process.kill("SIGKILL");
  await exit;
}, 300_000);
afterAll(() => generator.stop());

const running: TrainerProcess[] = [];
afterEach(async () => {
  for (const trainer of running.splice(0)) await kill(trainer);
});

const options = (change: Partial<ProcessOptions> = {}): ProcessOptions => ({
  modelDir: modelDir(),
  generators: [generator.address],
  env: { TRAINING_STATE_INTERVAL: "2" },
  ...change,
});

async function start(change: Partial<ProcessOptions> = {}): Promise<TrainerProcess> {
  const trainer = await startTrainerProcess(folder(), options(change));
  running.push(trainer);
  return trainer;
}

async function kill({ channel, process, exit }: TrainerProcess): Promise<void> {
  process.kill("SIGKILL");
  await exit;
  channel.close();
}

/** Starts the iteration and kills the trainer as soon as an event fits. @returns the iteration */
async function killedAfter(step: number, change: Partial<ProcessOptions> = {}, spec = SPEC): Promise<string> {
  const trainer = await start(change);
  const { channel } = trainer;
  const { runId } = await createRun(channel);
  const { iteration } = await channel.call(TrainerServiceService.startIteration, { requestId: "a", runId, spec });
  const { iterationId } = iteration!;
  for await (const { event } of channel.stream(TrainerServiceService.watchIteration, {
    iterationId,
    afterSequence: 0,
  })) {
    if (event?.$case === "step" && event.value.step >= step) break;
  }
  await kill(trainer);
  return iterationId;
}

const statesOf = (iterationId: string) => join(folder(), "runs", "run-1", "iterations", iterationId, "states");

test.each([1, 4, 7])(
  "killed after step %i it goes on to the undisturbed run's digest, every event told once",
  async (step) => {
    const iterationId = await killedAfter(step);
    const next = await start();
    const ended = await watch(next.channel, iterationId);
    expect(succeeded(ended)).toBe(undisturbed);
    expect(ended.steps.map(({ loss }) => loss)).toEqual(lossesOf);
    expect(ended.events.map(({ sequence }) => sequence)).toEqual(ended.events.map((_, i) => i + 1));
    const checkpoints = ended.events.flatMap(({ event }) => (event?.$case === "checkpoint" ? [event.value.step] : []));
    expect(checkpoints).toEqual([3, 6, 8]);
    const states = await readdir(statesOf(iterationId)).catch(() => []);
    expect(states).toEqual([]);
  },
  300_000,
);

test("a training state with one flipped bit is refused, and the one before serves", async () => {
  const iterationId = await killedAfter(5);
  const kept = (await readdir(statesOf(iterationId))).filter((name) => name.startsWith("step-")).sort();
  expect(kept).toEqual(["step-0000002", "step-0000004"]);
  const file = join(statesOf(iterationId), kept[1]!, "state.safetensors");
  const bytes = await readFile(file);
  bytes[bytes.length >> 1]! ^= 1;
  await writeFile(file, bytes);
  const next = await start();
  expect(succeeded(await watch(next.channel, iterationId))).toBe(undisturbed);
  await kill(next);
  expect(next.errors()).toMatch(/training state refused/);
  expect(next.errors()).toMatch(/step-0000004.*SHA-256/);
}, 300_000);

test("another configuration is refused by the keys that differ, and by force it goes on and the lineage tells", async () => {
  const iterationId = await killedAfter(4);
  const change = { env: { TRAINING_STATE_INTERVAL: "2", CHECKPOINT_DTYPE: "float32" } };
  const refused = await startTrainerProcess(folder(), options({ ...change, expectExit: true }));
  expect(await refused.exit).toBe(1);
  expect(refused.errors()).toContain(
    `\\"${iterationId}\\" was begun under another configuration: checkpoint_dtype: source, now float32`,
  );
  refused.channel.close();

  const forced = await start({ env: { ...change.env, FORCE: "true" } });
  const digest = succeeded(await watch(forced.channel, iterationId));
  const checkpoint = join(folder(), "runs", "run-1", "checkpoints", digest.slice("sha256:".length));
  const lineage = JSON.parse(await readFile(join(checkpoint, "training_state", "lineage.json"), "utf8")) as object;
  expect(lineage).toMatchObject({
    forced: [expect.stringMatching(/^after step \d: checkpoint_dtype: source, now float32$/)],
  });
}, 300_000);

test("a second trainer on the same folder is refused with the first one's identity", async () => {
  const first = await start();
  const second = await startTrainerProcess(folder(), options({ expectExit: true }));
  expect(await second.exit).toBe(1);
  expect(second.errors()).toContain(`the folder is in use by process ${first.process.pid} on`);
  second.channel.close();
}, 120_000);

test("an attempt that failed for want of a generator is gone on with by the next one", async () => {
  const lonely = { modelDir: modelDir(), generators: ["127.0.0.1:1"], patience: 1 };
  const iterationId = await killedAfter(5);
  const alone = await start(lonely);
  const failed = await watch(alone.channel, iterationId);
  expect(failed.iteration).toMatchObject({ state: JobState.JOB_STATE_FAILED, failure: { reason: "UNAVAILABLE" } });
  await kill(alone);
  const next = await start();
  const ended = await iterate(next.channel, "run-1", "b", SPEC);
  expect(succeeded(ended)).toBe(undisturbed);
  expect(ended.steps.map(({ loss }) => loss)).toEqual(lossesOf);
}, 300_000);

test.each<[string, "spin" | "sft", Partial<IterationSpec>]>([
  ["an adapter", "spin", { lora: { rank: 2, alpha: 4, targetModules: ["to_q", "to_k"] } }],
  ["moving averages", "spin", { ema: { decay: 0.9 } }],
  ["products in float16 and a loss scale", "sft", { precision: Precision.PRECISION_FLOAT16 }],
])(
  "with %s the digest is that of the undisturbed run too",
  async (name, objective, change) => {
    const spec = smallSpec(objective, { numSteps: 5, ...change });
    const apart = await startTrainerProcess(join(folder(), "apart"), options());
    running.push(apart);
    const whole = await iterate(apart.channel, (await createRun(apart.channel)).runId, "a", spec);
    await kill(apart);
    expect(succeeded(whole)).not.toBe(undisturbed);
    const iterationId = await killedAfter(3, {}, spec);
    expect(await readdir(statesOf(iterationId))).toContain("step-0000002");
    const next = await start();
    const ended = await watch(next.channel, iterationId);
    expect(succeeded(ended)).toBe(whole.iteration.checkpointDigest);
    const figures = ({ steps }: typeof ended) =>
      steps.map(({ loss, lossScale, skippedUpdates }) => [loss, lossScale, skippedUpdates]);
    expect(figures(ended)).toEqual(figures(whole));
    expect(ended.steps.every(({ lossScale }) => (lossScale !== undefined) === name.includes("float16"))).toBe(true);
  },
  300_000,
);

test("events that a power cut took are told again, with the steps that they told of", async () => {
  const iterationId = await killedAfter(5);
  const file = join(folder(), "runs", "run-1", "iterations", iterationId, "events.jsonl");
  const lines = (await readFile(file, "utf8")).split("\n");
  const third = lines.findIndex((line) => line.includes('"step":{"step":3'));
  await writeFile(file, `${lines.slice(0, third).join("\n")}\n${"\0".repeat(300)}\n`);
  const next = await start();
  const ended = await watch(next.channel, iterationId);
  expect(succeeded(ended)).toBe(undisturbed);
  expect(ended.steps.map(({ loss }) => loss)).toEqual(lossesOf);
  expect(ended.events.map(({ sequence }) => sequence)).toEqual(ended.events.map((_, i) => i + 1));
  await kill(next);
  expect(next.errors()).toMatch(/the events are damaged/);
}, 300_000);

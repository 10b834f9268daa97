import { join } from "node:path";
import { readManifest, verifyFolder } from "../../core/checkpoint/manifest.js";
import { openModelFolder, requireComponent } from "../../core/checkpoint/model-folder.js";
import { readWeights } from "../../core/checkpoint/weights.js";
import { globalNorm } from "../../core/nn/adamw.js";
import type { RpcChannel } from "../../core/service/client.js";
import { CheckpointServiceService } from "../../proto/gen/spin/v1/checkpoint_service.js";
import { JobState } from "../../proto/gen/spin/v1/common.js";
import { TrainerServiceService } from "../../proto/gen/spin/v1/trainer_service.js";
import { DpoLoss, type IterationSpec } from "../../proto/gen/spin/v1/training.js";
import { channelTo, freePorts, startTestGenerator, startTestTrainer } from "../support/services.js";
import { useTemporaryFolder } from "../support/temporary-folder.js";
import { writeTinyModel } from "../support/tiny-model.js";
import { createRun, iterate, smallSpec, succeeded } from "../support/trainer-client.js";

/** Trainer and generators in this process, on real sockets, over a real model. */

const folder = useTemporaryFolder();
const stopping: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const stop of stopping.splice(0).reverse()) await stop();
});

/** A trainer with generators of its own, all under one name. @returns a channel to the trainer */
async function start(name: string, replicas: number): Promise<RpcChannel> {
  const modelDir = join(folder(), "models");
  await writeTinyModel(join(modelDir, "tiny"));
  const ports = await freePorts(replicas);
  const generators = ports.map((port) => `127.0.0.1:${port}`);
  const trainer = await startTestTrainer(join(folder(), name), { modelDir, generators });
  stopping.push(() => trainer.stop());
  for (const port of ports) {
    const generator = await startTestGenerator(join(folder(), name), { modelDir, port, trainer: trainer.address });
    stopping.push(() => generator.stop());
  }
  const channel = channelTo(trainer);
  stopping.push(async () => channel.close());
  return channel;
}

async function twoIterations(name: string, replicas: number, spec: IterationSpec) {
  const channel = await start(name, replicas);
  const { runId } = await createRun(channel);
  const ended = [await iterate(channel, runId, "first", spec), await iterate(channel, runId, "second", spec)];
  return { channel, runId, ended, digests: ended.map(succeeded) };
}

test("the same run twice gives the same weights, with two replicas too", async () => {
  const spec = smallSpec("spin");
  const one = await twoIterations("one", 1, spec);
  const two = await twoIterations("two", 2, spec);
  expect(two.digests).toEqual(one.digests);
  expect(new Set(one.digests).size).toBe(2);
  const losses = one.ended.map(({ steps }) => steps.map(({ loss }) => loss));
  expect(two.ended.map(({ steps }) => steps.map(({ loss }) => loss))).toEqual(losses);

  // The second iteration begins where the first ended, with draws of its own.
  const [first, second] = one.ended.map(({ iteration }) => iteration);
  const { run, iterations } = await one.channel.call(TrainerServiceService.getRun, { runId: one.runId });
  expect(iterations).toEqual([first, second]);
  expect([first!.number, second!.number]).toEqual([1, 2]);
  expect(first!.baseDigest).toBe(run!.base!.digest);
  expect(second!.baseDigest).toBe(first!.checkpointDigest);
  expect(run!.latestCheckpointDigest).toBe(second!.checkpointDigest);
  expect(first!.samplingSpecDigest).not.toBe(second!.samplingSpecDigest);
});

test("a checkpoint is the base's pipeline with other UNet weights, whole, and tells where it came from", async () => {
  const { ended, digests, runId, channel } = await twoIterations(
    "one",
    1,
    smallSpec("spin", { checkpointInterval: 2 }),
  );
  const request = { runId, pageSize: 0, pageToken: "" };
  const { checkpoints } = await channel.call(CheckpointServiceService.listCheckpoints, request);
  const told = ended.flatMap(({ events }) =>
    events.flatMap(({ event }) => (event?.$case === "checkpoint" ? [event.value] : [])),
  );
  expect(checkpoints).toEqual(told);
  expect(
    told.map(({ step, totalSteps, final, iterationNumber }) => ({ step, totalSteps, final, iterationNumber })),
  ).toEqual([
    { step: 2, totalSteps: 2, final: false, iterationNumber: 1 },
    { step: 3, totalSteps: 3, final: true, iterationNumber: 1 },
    { step: 2, totalSteps: 5, final: false, iterationNumber: 2 },
    { step: 3, totalSteps: 6, final: true, iterationNumber: 2 },
  ]);
  expect(told.filter(({ final }) => final).map(({ digest }) => digest)).toEqual(digests);

  const saved = join(folder(), "one", "runs", runId, "checkpoints", digests[1]!.slice("sha256:".length));
  await verifyFolder(saved, await readManifest(saved));
  const [base, tuned] = [await openModelFolder(join(folder(), "models", "tiny")), await openModelFolder(saved)];
  const [before, after] = await Promise.all(
    [base, tuned].map((model) => readWeights(requireComponent(model, "unet").weights)),
  );
  const change = [...before!].flatMap(([name, values]) =>
    Array.from(values, (value, i) => after!.get(name)![i]! - value),
  );
  // No longer than the way that the steps tell, and not much shorter.
  const way = ended.flatMap(({ steps }) => steps).reduce((sum, { updateNorm }) => sum + updateNorm, 0);
  expect(globalNorm(Float32Array.from(change)) / way).toBeGreaterThan(0.5);
  expect(globalNorm(Float32Array.from(change)) / way).toBeLessThan(1.001);
});

test.each(["spin", "spinExact", "spinRenoised", "dpo"] as const)(
  "%s begins without a margin at ln 2, and then moves",
  async (objective) => {
    const channel = await start("one", 1);
    const { runId } = await createRun(channel);
    const { steps, iteration } = await iterate(channel, runId, "first", smallSpec(objective, { numSteps: 4 }));
    expect(iteration.failure).toBeUndefined();
    expect(steps.map(({ step }) => step)).toEqual([1, 2, 3, 4]);
    expect(Math.abs(steps[0]!.margin)).toBeLessThan(1e-3);
    expect(steps[0]!.loss).toBeCloseTo(Math.LN2, 3);
    expect(Math.abs(steps[0]!.realErrorChange)).toBeLessThan(1e-5);
    expect(Math.abs(steps[3]!.margin)).toBeGreaterThan(0.05);
    for (const step of steps) {
      expect(step.gradNorm).toBeGreaterThan(0);
      expect(step.updateNorm).toBeGreaterThan(0);
      expect(step.learningRate).toBe(1e-3);
    }
  },
);

test("whole trajectories give the same steps however they are cut into micro-batches", async () => {
  const channel = await start("one", 1);
  const told: number[][] = [];
  for (const microBatchSize of [1, 4, 0]) {
    const { runId } = await createRun(channel, `run-${microBatchSize}`);
    const { steps } = await iterate(
      channel,
      runId,
      `cut-${microBatchSize}`,
      smallSpec("spinExact", { microBatchSize }),
    );
    told.push(steps.flatMap(({ loss, margin, gradNorm }) => [loss, margin, gradNorm]));
  }
  expect(told[0]).toHaveLength(9);
  for (const other of told.slice(1))
    other.forEach((value, i) => {
      // The first margin is 0 but for rounding, which differs with the cut.
      expect(Math.abs(value - told[0]![i]!)).toBeLessThan(1e-4 * Math.max(Math.abs(value), 1e-2));
    });
});

test("earlier opponents draw their share of the second iteration's samples, which then begins at ln 2 as ever", async () => {
  const channel = await start("one", 1);
  const digests: string[] = [];
  for (const earlierShare of [0, 0.5]) {
    for (const objective of ["spin", "spinRenoised"] as const) {
      const { runId } = await createRun(channel, `run-${objective}-${earlierShare}`);
      const spec = smallSpec(objective, { numSteps: 2, earlierShare });
      succeeded(await iterate(channel, runId, `${runId}-1`, spec));
      const second = await iterate(channel, runId, `${runId}-2`, spec);
      digests.push(succeeded(second));
      expect(second.steps[0]!.loss).toBeCloseTo(Math.LN2, 3);
      expect(Math.abs(second.steps[0]!.syntheticErrorChange)).toBeLessThan(1e-5);
    }
  }
  expect(new Set(digests).size).toBe(4);
});

test("an iteration that diverges ends with the signal's name, and its steps are told", async () => {
  const channel = await start("one", 1);
  const { runId } = await createRun(channel);
  const { iteration, steps } = await iterate(
    channel,
    runId,
    "first",
    smallSpec("spin", {
      numSteps: 30,
      optimizer: { ...smallSpec("spin").optimizer!, learningRate: 0.5 },
      divergenceStop: { patience: 2, realErrorRise: 0.05 },
    }),
  );
  expect(iteration.state).toBe(JobState.JOB_STATE_FAILED);
  expect(iteration.failure).toMatchObject({ reason: "DIVERGED", message: expect.stringContaining("REAL_ERROR") });
  expect(steps.length).toBeGreaterThan(1);
  expect(steps.length).toBeLessThan(30);
});

test.each([DpoLoss.DPO_LOSS_HINGE, DpoLoss.DPO_LOSS_IPO])("Diffusion-DPO trains with loss %i too", async (loss) => {
  const channel = await start("one", 1);
  const { runId } = await createRun(channel);
  const objective = { $case: "dpo", value: { beta: 200, loss } } as const;
  const { iteration, steps } = await iterate(channel, runId, "first", smallSpec("dpo", { objective }));
  expect(iteration.failure).toBeUndefined();
  expect(steps[0]!.loss).toBeCloseTo(loss === DpoLoss.DPO_LOSS_HINGE ? 1 : 25, 2);
  expect(Math.abs(steps[2]!.margin)).toBeGreaterThan(0.01);
});

test("supervised fine-tuning lowers the error, without a margin", async () => {
  const channel = await start("one", 1);
  const { runId } = await createRun(channel);
  const spec = smallSpec("sft", { numSteps: 8, optimizer: { ...smallSpec("sft").optimizer!, warmupSteps: 1 } });
  const { steps, iteration } = await iterate(channel, runId, "first", spec);
  expect(iteration.state).toBe(JobState.JOB_STATE_SUCCEEDED);
  expect(steps[0]).toMatchObject({ learningRate: 0, updateNorm: 0, margin: 0, syntheticError: 0 });
  expect(steps.map(({ loss, realError }) => loss - realError)).toEqual(steps.map(() => expect.closeTo(0, 5)));
  expect(steps[7]!.loss).toBeLessThan(steps[0]!.loss);
});

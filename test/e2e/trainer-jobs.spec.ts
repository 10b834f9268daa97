import { sleep } from "../../core/service/deadline.js";
import { JobState } from "../../proto/gen/spin/v1/common.js";
import { CreateRunRequest, TrainerServiceService } from "../../proto/gen/spin/v1/trainer_service.js";
import { startGeneratorProxy } from "../support/generator-proxy.js";
import { channelTo, startTestTrainer } from "../support/services.js";
import { useSharedGenerator } from "../support/shared-generator.js";
import { useTemporaryFolder } from "../support/temporary-folder.js";
import { createRun, iterate, smallSpec, succeeded, watch } from "../support/trainer-client.js";

/** Iterations as jobs: repeated requests, one at a time, watching, cancelling, stopping. */

const {
  createRun: createRunCall,
  startIteration,
  cancelIteration,
  getIteration,
  getRun,
  listRuns,
} = TrainerServiceService;
const folder = useTemporaryFolder();
const { modelDir, generator } = useSharedGenerator();

const stopping: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const stop of stopping.splice(0).reverse()) await stop();
});

/** A trainer whose generator takes its time over each batch. */
async function start({ delayMs = 0 } = {}) {
  const slow = { delayMs };
  const proxy = await startGeneratorProxy(generator(), async (batch) => {
    await sleep(slow.delayMs);
    return batch;
  });
  stopping.push(proxy.stop);
  const begin = async () => {
    const trainer = await startTestTrainer(folder(), { modelDir: modelDir(), generators: [proxy.address] });
    stopping.push(() => trainer.stop());
    const channel = channelTo(trainer);
    stopping.push(async () => channel.close());
    return { trainer, channel };
  };
  const { trainer, channel } = await begin();
  /** Another trainer over what this one kept. */
  const again = async () => {
    await trainer.stop();
    return (await begin()).channel;
  };
  return { channel, slow, again };
}

const sft = smallSpec("sft");

test("a repeated request is answered with what exists, one with other content is refused", async () => {
  const { channel } = await start({ delayMs: 50 });
  const [one, two] = await Promise.all([createRun(channel), createRun(channel)]);
  expect(two).toEqual(one);
  const request = CreateRunRequest.fromPartial({
    requestId: "run",
    base: { modelName: "tiny" },
    dataset: { name: "emoji" },
    seed: 1n,
  });
  await expect(channel.call(createRunCall, request)).rejects.toMatchObject({ kind: "alreadyExists" });

  const { runId } = one;
  const first = await channel.call(startIteration, { requestId: "a", runId, spec: sft });
  expect(first.iteration).toMatchObject({ state: JobState.JOB_STATE_QUEUED, number: 1, stepsDone: 0 });
  const repeated = await channel.call(startIteration, { requestId: "a", runId, spec: sft });
  expect(repeated.iteration!.iterationId).toBe(first.iteration!.iterationId);
  await expect(
    channel.call(startIteration, { requestId: "a", runId, spec: { ...sft, numSteps: 9 } }),
  ).rejects.toMatchObject({ kind: "alreadyExists" });
  await expect(channel.call(startIteration, { requestId: "b", runId, spec: sft })).rejects.toMatchObject({
    kind: "precondition",
    message: expect.stringContaining(`"${first.iteration!.iterationId}" is active`),
  });

  const ended = await watch(channel, first.iteration!.iterationId);
  succeeded(ended);
  const afterwards = await channel.call(startIteration, { requestId: "a", runId, spec: sft });
  expect(afterwards.iteration).toEqual(ended.iteration);
  expect((await channel.call(getRun, { runId })).iterations).toEqual([ended.iteration]);
  expect((await channel.call(listRuns, { pageSize: 5, pageToken: "" })).runs).toEqual([
    { ...one, latestCheckpointDigest: ended.iteration.checkpointDigest },
  ]);
});

test("watchers see every event once, from wherever they begin, in a later process too", async () => {
  const { channel, again } = await start();
  const { runId } = await createRun(channel);
  const { events, iteration } = await iterate(channel, runId, "a", sft);
  expect(events.map(({ sequence }) => sequence)).toEqual(events.map((_, i) => i + 1));
  const kinds = events.map(({ event }) =>
    event?.$case === "stateChange" ? JobState[event.value.state] : event?.$case,
  );
  expect(kinds).toEqual([
    "JOB_STATE_QUEUED",
    "JOB_STATE_RUNNING",
    "step",
    "step",
    "step",
    "checkpoint",
    "JOB_STATE_SUCCEEDED",
  ]);
  expect((await watch(channel, iteration.iterationId, 4)).events).toEqual(events.slice(4));
  const later = await again();
  expect((await watch(later, iteration.iterationId, 2)).events).toEqual(events.slice(2));
  expect((await later.call(getIteration, { iterationId: iteration.iterationId })).iteration).toEqual(iteration);
  succeeded(await iterate(later, (await createRun(later, "other")).runId, "b", sft));
  await expect(watch(later, "run-1-iteration-9")).rejects.toMatchObject({ kind: "notFound" });
});

test("a cancelled iteration leaves no trace in the weights of the next", async () => {
  const { channel, slow } = await start();
  const { runId } = await createRun(channel);
  const undisturbed = succeeded(await iterate(channel, runId, "a", sft));

  const other = await createRun(channel, "other");
  slow.delayMs = 300;
  const long = { ...sft, numSteps: 100 };
  const { iteration } = await channel.call(startIteration, { requestId: "long", runId: other.runId, spec: long });
  const { iterationId } = iteration!;
  const watching = watch(channel, iterationId);
  await sleep(1000);
  await channel.call(cancelIteration, { iterationId });
  const ended = await watching;
  expect(ended.iteration).toMatchObject({
    state: JobState.JOB_STATE_CANCELLED,
    failure: undefined,
    checkpointDigest: "",
  });
  expect(ended.iteration.stepsDone).toBeLessThan(100);
  expect((await channel.call(cancelIteration, { iterationId })).iteration).toEqual(ended.iteration);

  slow.delayMs = 0;
  const next = await iterate(channel, other.runId, "next", sft);
  expect(next.iteration.number).toBe(1);
  expect(succeeded(next)).toBe(undisturbed);
});

test("a trainer that stops tells its watchers, and the next process goes on with the iteration", async () => {
  const { channel, slow, again } = await start({ delayMs: 300 });
  const { runId } = await createRun(channel);
  const spec = { ...sft, numSteps: 6 };
  const undisturbed = { runId: (await createRun(channel, "other")).runId };
  const { iteration } = await channel.call(startIteration, { requestId: "a", runId, spec });
  const { iterationId } = iteration!;
  const watching = watch(channel, iterationId);
  watching.catch(() => undefined);
  await sleep(1500);
  const later = await again();
  await expect(watching).rejects.toMatchObject({
    kind: "unavailable",
    message: expect.stringContaining("the trainer was stopped"),
  });
  slow.delayMs = 0;
  const ended = await watch(later, iterationId);
  const digest = succeeded(ended);
  expect(ended.events.map(({ sequence }) => sequence)).toEqual(ended.events.map((_, i) => i + 1));
  expect(ended.steps.map(({ step }) => step)).toEqual([1, 2, 3, 4, 5, 6]);
  // The same draws, in one go.
  const repeated = await later.call(startIteration, { requestId: "a", runId, spec });
  expect(repeated.iteration).toEqual(ended.iteration);
  expect(succeeded(await iterate(later, undisturbed.runId, "b", spec))).toBe(digest);
});

test("a run of what is not there, or is not what it says, is refused", async () => {
  const { channel } = await start();
  const digest = `sha256:${"0".repeat(64)}`;
  const refusals: [object, object][] = [
    [{ base: { modelName: "none" } }, { kind: "notFound" }],
    [{ base: { modelName: "tiny", digest } }, { kind: "precondition", details: { field: "base.digest" } }],
    [{ base: { digest } }, { kind: "notFound" }],
    [{ base: { modelName: "../models/tiny" } }, { kind: "invalid", details: { field: "base.model_name" } }],
    [{ dataset: { name: "none" } }, { kind: "notFound" }],
    [{ dataset: { name: "emoji", digest } }, { kind: "precondition", details: { field: "dataset.digest" } }],
    [{ dataset: { name: "emoji", split: "half" } }, { kind: "invalid", details: { field: "dataset.split" } }],
  ];
  for (const [change, error] of refusals) {
    const request = { requestId: "run", base: { modelName: "tiny" }, dataset: { name: "emoji" }, ...change };
    await expect(channel.call(createRunCall, CreateRunRequest.fromPartial(request))).rejects.toMatchObject(error);
  }
  expect((await channel.call(listRuns, { pageSize: 0, pageToken: "" })).runs).toEqual([]);
});

test("a run may begin from a digest alone", async () => {
  const { channel } = await start();
  const { base } = await createRun(channel);
  const request = CreateRunRequest.fromPartial({
    requestId: "other",
    base: { digest: base!.digest },
    dataset: { name: "emoji" },
  });
  const { run } = await channel.call(createRunCall, request);
  expect(run!.base).toEqual({ digest: base!.digest, modelName: "" });
  succeeded(await iterate(channel, run!.runId, "a", sft));
});

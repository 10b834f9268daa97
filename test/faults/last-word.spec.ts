import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { RunningGenerator } from "../../generator/start.js";
import { JobState } from "../../proto/gen/spin/v1/common.js";
import { TrainerServiceService } from "../../proto/gen/spin/v1/trainer_service.js";
import { startTestGenerator } from "../support/services.js";
import { useTemporaryFolder } from "../support/temporary-folder.js";
import { writeTinyModel } from "../support/tiny-model.js";
import { createRun, iterate, smallSpec, succeeded, watch } from "../support/trainer-client.js";
import { startTrainerProcess, type TrainerProcess } from "../support/trainer-process.js";

/** What a trainer has told of an iteration's beginning and end, and a disk that did not take all of it. */

const folder = useTemporaryFolder();
const SPEC = smallSpec("sft", { numSteps: 2 });
const modelDir = () => join(folder(), "models");
const iterationFolder = (id: string) => join(folder(), "runs", "run-1", "iterations", id);
let generator: RunningGenerator;
const running: TrainerProcess[] = [];
beforeEach(async () => {
  await writeTinyModel(join(modelDir(), "tiny"));
  generator = await startTestGenerator(folder(), { modelDir: modelDir() });
});
afterEach(async () => {
  for (const trainer of running.splice(0)) await kill(trainer);
  await generator.stop();
});

async function start(): Promise<TrainerProcess> {
  const trainer = await startTrainerProcess(folder(), { modelDir: modelDir(), generators: [generator.address] });
  running.push(trainer);
  return trainer;
}

async function kill({ channel, process, exit }: TrainerProcess): Promise<void> {
  process.kill("SIGKILL");
  await exit;
  channel.close();
}

/** Runs an iteration to its end and kills the trainer. @returns the digest that it led to */
async function finished(): Promise<string> {
  const first = await start();
  const digest = succeeded(await iterate(first.channel, (await createRun(first.channel)).runId, "a", SPEC));
  await kill(first);
  return digest;
}

test("an end that was told and not kept is the end: the iteration is not run again", async () => {
  const digest = await finished();
  const file = join(iterationFolder("run-1-iteration-1"), "iteration.json");
  const kept = JSON.parse(await readFile(file, "utf8")) as { iteration: object };
  const before = { ...kept.iteration, state: "JOB_STATE_RUNNING", checkpointDigest: "", endTime: undefined };
  await writeFile(file, JSON.stringify({ ...kept, iteration: before }));

  const { channel } = await start();
  const { iteration } = await channel.call(TrainerServiceService.getIteration, { iterationId: "run-1-iteration-1" });
  expect(iteration).toMatchObject({ state: JobState.JOB_STATE_SUCCEEDED, checkpointDigest: digest });
  const { steps } = await watch(channel, "run-1-iteration-1");
  expect(steps).toHaveLength(2);
}, 120_000);

test("an end that was kept and not told is told", async () => {
  const digest = await finished();
  const file = join(iterationFolder("run-1-iteration-1"), "events.jsonl");
  const lines = (await readFile(file, "utf8")).trimEnd().split("\n");
  await writeFile(file, `${lines.slice(0, -1).join("\n")}\n`);

  const { channel } = await start();
  const ended = await watch(channel, "run-1-iteration-1");
  expect(succeeded(ended)).toBe(digest);
  expect(ended.events).toHaveLength(lines.length);
}, 120_000);

test("an iteration that could not be written down was not begun, and leaves nothing to the next one", async () => {
  const { channel } = await start();
  const { runId } = await createRun(channel);
  const blocked = join(iterationFolder("run-1-iteration-1"), "iteration.json");
  await mkdir(join(blocked, "in the way"), { recursive: true });
  const request = { requestId: "a", runId, spec: SPEC };
  await expect(channel.call(TrainerServiceService.startIteration, request)).rejects.toMatchObject({
    message: expect.stringContaining("iteration.json"),
  });
  await rm(blocked, { recursive: true });
  const { events, ...ended } = await iterate(channel, runId, "a", SPEC);
  succeeded({ events, ...ended });
  expect(events.map(({ sequence }) => sequence)).toEqual(events.map((_, i) => i + 1));
  const queued = events.filter(({ event }) => {
    return event?.$case === "stateChange" && event.value.state === JobState.JOB_STATE_QUEUED;
  });
  expect(queued).toHaveLength(1);
}, 120_000);

import { appendFile, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { JobState } from "../../proto/gen/spin/v1/common.js";
import { Iteration, type WatchIterationResponse } from "../../proto/gen/spin/v1/trainer_service.js";
import { StepMetrics } from "../../proto/gen/spin/v1/training.js";
import { useTemporaryFolder } from "../../test/support/temporary-folder.js";
import { EventLog, type IterationEvent } from "./event-log.js";

const folder = useTemporaryFolder();
const path = () => join(folder(), "iteration", "events.jsonl");
const step = (number: number): IterationEvent => ({
  $case: "step",
  value: StepMetrics.fromPartial({ step: number, loss: 0.1 * number }),
});
const never = new AbortController().signal;

async function collect(events: AsyncIterable<WatchIterationResponse>): Promise<WatchIterationResponse[]> {
  const all: WatchIterationResponse[] = [];
  for await (const event of events) all.push(event);
  return all;
}
const sequences = async (log: EventLog, after = 0) => (await collect(log.read(after, never))).map((e) => e.sequence);

test("readers get every event once, whenever they begin", async () => {
  const log = await EventLog.open(path());
  await log.append(step(1));
  const early = collect(log.read(0, never));
  await log.append(step(2));
  const late = collect(log.read(0, never));
  for (let i = 3; i <= 500; i++) await log.append(step(i));
  await log.end(step(501));
  const all = await early;
  expect(all.map((event) => event.sequence)).toEqual(Array.from({ length: 501 }, (_, i) => i + 1));
  expect(all.map((event) => event.event)).toEqual(all.map((_, i) => step(i + 1)));
  expect(await late).toEqual(all);
});

test("a reader goes on after the number it names, in another process too", async () => {
  const log = await EventLog.open(path());
  for (let i = 1; i <= 4; i++) await log.append(step(i));
  await log.end(step(5));
  expect(await sequences(log, 3)).toEqual([4, 5]);
  expect(await sequences(await EventLog.openEnded(path()), 3)).toEqual([4, 5]);
  expect(await sequences(await EventLog.openEnded(path()), 7)).toEqual([]);
});

test("a line that a crash left unfinished is dropped, and its number given again", async () => {
  await (await EventLog.open(path())).append(step(1));
  await appendFile(path(), '{"sequence": 2, "st');
  const log = await EventLog.open(path());
  expect(log.count).toBe(1);
  await log.end(step(2));
  expect(await sequences(log)).toEqual([1, 2]);
  expect((await readFile(path(), "utf8")).trim().split("\n")).toHaveLength(2);
});

test("a reader that gives up ends with the signal's error while nothing happens", async () => {
  const log = await EventLog.open(path());
  const controller = new AbortController();
  const reading = collect(log.read(0, controller.signal));
  controller.abort();
  await expect(reading).rejects.toMatchObject({ kind: "cancelled" });
  await log.end(step(1));
});

describe("an end that the disk did not take", () => {
  const state = (state: JobState): IterationEvent => ({
    $case: "stateChange",
    value: Iteration.fromPartial({ state }),
  });
  const FAILED = state(JobState.JOB_STATE_FAILED);

  test("is told by the next process, as the log's last event", async () => {
    const log = await EventLog.open(path());
    await log.append(state(JobState.JOB_STATE_RUNNING));
    await log.append(step(1));
    const ended = await EventLog.openEnded(path(), FAILED);
    const all = await collect(ended.read(0, never));
    expect(all.map(({ sequence }) => sequence)).toEqual([1, 2, 3]);
    expect(all[2]!.event).toEqual(FAILED);
    expect(await sequences(ended, 3)).toEqual([]);
  });

  test("is not told twice where the disk took it", async () => {
    const log = await EventLog.open(path());
    await log.append(step(1));
    await log.end(FAILED);
    expect(await sequences(await EventLog.openEnded(path(), FAILED))).toEqual([1, 2]);
  });
});

test("a new log has nothing of what lay at its place", async () => {
  await (await EventLog.open(path())).append(step(1));
  const log = await EventLog.create(path());
  await log.end(step(2));
  expect(await collect(log.read(0, never))).toMatchObject([{ sequence: 1, event: { value: { step: 2 } } }]);
});

describe("a damaged log", () => {
  const lines = async () => (await readFile(path(), "utf8")).split("\n").slice(0, -1);
  const write = async () => {
    const log = await EventLog.open(path());
    for (let i = 1; i <= 4; i++) await log.append(step(i));
    await log.end(step(5));
  };

  test("is read up to the damage, which is told by file and line", async () => {
    await write();
    const [first, , ...rest] = await lines();
    await writeFile(path(), `${[first, '{"sequence": 2, "st', ...rest].join("\n")}\n`);
    const read = collect((await EventLog.openEnded(path())).read(0, never));
    await expect(read).rejects.toMatchObject({ kind: "corrupt", message: expect.stringContaining("jsonl, line 2,") });
  });

  test.each<[string, (whole: string[]) => string]>([
    ["a line that is no event", ([a, b, , d, e]) => [a, b, "\0\0\0", d, e].join("\n")],
    ["another event's number", ([a, b, , d, e]) => [a, b, d, d, e].join("\n")],
  ])("is cut before %s, and goes on from there", async (_, damage) => {
    await write();
    const whole = await lines();
    await writeFile(path(), `${damage(whole)}\n`);
    expect(await EventLog.mend(path())).toBeGreaterThan(whole[3]!.length);
    expect(await lines()).toEqual(whole.slice(0, 2));
    const log = await EventLog.open(path());
    await log.end(step(3));
    expect(await sequences(log)).toEqual([1, 2, 3]);
  });

  test("that is whole, or not there, is left alone", async () => {
    expect(await EventLog.mend(path())).toBe(0);
    await write();
    const before = await readFile(path(), "utf8");
    expect(await EventLog.mend(path())).toBe(0);
    expect(await readFile(path(), "utf8")).toBe(before);
  });
});

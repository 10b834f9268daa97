import { EventLog } from "./event-log.js";

const never = new AbortController().signal;
const collect = async (events: AsyncIterable<number>) => {
  const all: number[] = [];
  for await (const event of events) all.push(event);
  return all;
};

test("readers get what was there before them, then what comes, until the end", async () => {
  const log = new EventLog<number>([10, 11]);
  const [all, later] = [collect(log.follow(0, never)), collect(log.follow(2, never))];
  expect(log.nextSequence).toBe(3);
  log.append(12);
  await new Promise((resolve) => setTimeout(resolve, 5));
  log.append(13);
  log.end();
  expect(await all).toEqual([10, 11, 12, 13]);
  expect(await later).toEqual([12, 13]);
});

test("a reader of an ended log does not wait, even past its end", async () => {
  const log = new EventLog([1], true);
  expect(await collect(log.follow(0, never))).toEqual([1]);
  expect(await collect(log.follow(5, never))).toEqual([]);
});

test("a reader that gives up is let go", async () => {
  const controller = new AbortController();
  const reading = collect(new EventLog<number>().follow(0, controller.signal));
  controller.abort();
  await expect(reading).rejects.toMatchObject({ kind: "cancelled" });
});

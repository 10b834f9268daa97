import { formatGrowth, growthOf, medianSlope } from "./growth.js";
import { sampleProcess } from "./process-sample.js";

const sample = (resident: number, handles = 20) => ({ resident, handles, threads: 11, children: 0 });
const noise = (i: number) => ((i * 7919) % 101) * 20;

test("the slope is that of the line, whatever single values do", () => {
  expect(medianSlope([5, 7, 9, 11])).toBe(2);
  expect(medianSlope([1, 1, 900, 1, 1, 1, 1])).toBe(0);
  expect([medianSlope([3]), medianSlope([])]).toEqual([0, 0]);
});

test("memory that goes up and down does not grow; memory that also rises does", () => {
  const level = growthOf(Array.from({ length: 100 }, (_, i) => sample(150_000 + noise(i))));
  expect(level.map(({ grows }) => grows)).toEqual([false, false, false, false]);
  const rising = growthOf(Array.from({ length: 100 }, (_, i) => sample(150_000 + noise(i) + 100 * i)));
  expect(rising.map(({ grows }) => grows)).toEqual([true, false, false, false]);
});

test("a handle that stays open every tenth iteration is growth", () => {
  const [, handles] = growthOf(Array.from({ length: 100 }, (_, i) => sample(1, 20 + Math.floor(i / 10))));
  expect(handles).toMatchObject({ measure: "handles", first: 20, last: 29, grows: true });
  expect(formatGrowth(new Map([["trainer", [handles!]]]))).toContain(
    "| trainer | handles | 20 | 29 | 20 – 29 | 0.099 | 0.02 | grows |",
  );
});

test("a process is looked at", async () => {
  const { resident, handles, threads } = await sampleProcess(process.pid);
  expect(resident).toBeGreaterThan(10_000);
  expect(handles).toBeGreaterThan(3);
  expect(threads).toBeGreaterThan(1);
});

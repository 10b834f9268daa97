import { type Measured, simulate } from "./simulate.js";

const measured: Measured = {
  batchSeconds: 8,
  stepSeconds: 1,
  batchBytes: 1e6,
  batchesPerStep: 1,
  networkBytesPerSecond: 1e9,
  checkpointBytes: 0,
  diskBytesPerSecond: 1e9,
  loadSeconds: 0,
  buildSeconds: 0,
  steps: 1000,
  lanes: 2,
};

test("one generator sets the pace, twice as many halve the time, until the trainer is the limit", () => {
  const [one, two, eight, many] = [1, 2, 8, 64].map((generators) => simulate(generators, measured));
  expect(one!.seconds / 8001).toBeCloseTo(1, 2);
  expect(one!.limit).toBe("generators");
  expect(two!.seconds / one!.seconds).toBeCloseTo(0.5, 2);
  expect(many!.limit).toBe("trainer");
  expect(many!.seconds / 1008).toBeCloseTo(1, 2);
  expect(many!.seconds).toBeLessThanOrEqual(eight!.seconds);
  expect(many!.generatorUse).toBeLessThan(0.2);
});

test("a network slower than training is the limit, and so is a disk that every generator reads a checkpoint from", () => {
  expect(simulate(64, { ...measured, networkBytesPerSecond: 2e5 }).limit).toBe("network");
  const large = { ...measured, steps: 10, checkpointBytes: 4e9, networkBytesPerSecond: 1e11 };
  expect(simulate(64, large).limit).toBe("disk");
  expect(simulate(64, large).seconds).toBeGreaterThan(4 + 8 + 10);
});

test("what a generator loads and what the trainer builds goes on side by side, before the first step", () => {
  const short = { ...measured, steps: 1 };
  expect(simulate(1, { ...short, loadSeconds: 3, buildSeconds: 5 }).seconds).toBeCloseTo(3 + 8 + 1, 1);
  expect(simulate(1, { ...short, loadSeconds: 3, buildSeconds: 50 }).seconds).toBeCloseTo(50 + 1, 6);
});

test("no resource is busy for longer than there is time", () => {
  for (const generators of [1, 3, 7, 64, 256]) {
    const { generatorUse, waitShare, seconds } = simulate(generators, { ...measured, batchesPerStep: 4, steps: 50 });
    expect(generatorUse).toBeLessThanOrEqual(1);
    expect(waitShare).toBeLessThan(1);
    expect(seconds).toBeGreaterThanOrEqual(50);
  }
});

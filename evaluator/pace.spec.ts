import { Pace } from "./pace.js";

test("the rest is told by the pace since the first batch; what an earlier process did counts as done, not as fast", () => {
  let now = 0;
  const pace = new Pace(100, () => now);
  pace.skip(20);
  now = 9_000; // loading
  expect(pace.add(10)).toEqual({ allImagesDone: 30, allImagesTotal: 100, secondsLeft: undefined });
  now = 14_000;
  expect(pace.add(10).secondsLeft).toBeCloseTo(0.5 * 60, 9);
  pace.skip(20);
  now = 19_000;
  expect(pace.add(10)).toEqual({ allImagesDone: 70, allImagesTotal: 100, secondsLeft: 0.5 * 30 });
});

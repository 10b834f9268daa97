import { type LearningRateSchedule, learningRate } from "./learning-rate.js";

const rates = (schedule: LearningRateSchedule, warmupSteps: number, scheduleSteps: number, count: number) =>
  Array.from({ length: count }, (_, step) => learningRate(schedule, { base: 1, warmupSteps, scheduleSteps }, step));

test("constant has no warm-up", () => {
  expect(rates("constant", 2, 4, 3)).toEqual([1, 1, 1]);
});

test("constant_with_warmup rises from 0 and stays", () => {
  expect(rates("constant_with_warmup", 2, 4, 6)).toEqual([0, 0.5, 1, 1, 1, 1]);
});

test("linear rises, falls to 0 at the horizon, and stays there", () => {
  expect(rates("linear", 2, 4, 6)).toEqual([0, 0.5, 1, 0.5, 0, 0]);
});

test("the horizon is apart from the steps run: a long warm-up may be all there is", () => {
  expect(rates("linear", 200, 500, 50)[49]).toBeCloseTo(49 / 200, 12);
});

test("cosine falls along half a wave and does not rise again", () => {
  const expected = [0, 1, 0.75, 0.25, 0, 0, 0];
  for (const [step, rate] of rates("cosine", 1, 4, 7).entries()) expect(rate).toBeCloseTo(expected[step]!, 12);
});

test("a warm-up as long as the schedule ends at the horizon", () => {
  expect(rates("linear", 3, 3, 5)).toEqual([0, 1 / 3, 2 / 3, 0, 0]);
});

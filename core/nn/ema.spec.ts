import { emaDecay, updateAverage } from "./ema.js";

test("the decay rises from 0 to its limit and stays there", () => {
  expect([1, 2, 3, 6].map((update) => emaDecay(0.9, update))).toEqual([0, 2 / 11, 3 / 12, 6 / 15]);
  expect(emaDecay(0.9, 81)).toBe(0.9);
  expect(emaDecay(0.9, 1e6)).toBe(0.9);
});

test("an average moves by the share that the decay leaves", () => {
  const average = Float32Array.of(1, -2);
  updateAverage(average, Float32Array.of(3, 2), 0.75);
  expect(average).toEqual(Float32Array.of(1.5, -1));
});

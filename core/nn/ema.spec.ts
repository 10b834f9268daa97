import { emaDecay, MovingAverage, updateAverage } from "./ema.js";

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

test("averages follow the weights from the first update on, and leave them alone", () => {
  const weights = new Map([["w", Float32Array.of(1)]]);
  const average = new MovingAverage(weights, 0.2);
  expect(average.views.get("w")).toEqual(Float32Array.of(1));
  weights.get("w")![0] = 2;
  average.update(weights);
  expect(average.views.get("w")).toEqual(Float32Array.of(2));
  weights.get("w")![0] = 13;
  average.update(weights); // 2/11 of 2, 9/11 of 13
  expect(average.views.get("w")![0]).toBeCloseTo(11, 5);
  average.update(weights); // the limit
  expect(average.views.get("w")![0]).toBeCloseTo(0.2 * 11 + 0.8 * 13, 5);
  expect(weights.get("w")).toEqual(Float32Array.of(13));
});

import { exactScale, niceScale } from "./scale.js";

test("a nice scale widens to whole round ticks", () => {
  const scale = niceScale([0.13, 0.69], [100, 0], 4);
  expect(scale.ticks.map(scale.format)).toEqual(["0.0", "0.2", "0.4", "0.6", "0.8"]);
  expect(scale(0)).toBe(100);
  expect(scale(0.8)).toBeCloseTo(0, 12);
});

test("an exact scale keeps its ends and has its ticks inside", () => {
  const scale = exactScale([1, 50], [0, 49], 4);
  expect(scale.domain).toEqual([1, 50]);
  expect(scale.ticks).toEqual([20, 40]);
  expect(scale(1)).toBe(0);
  expect(scale(50)).toBe(49);
});

test("ticks below zero carry a true minus, zero never does", () => {
  const scale = niceScale([-0.011, 0.028], [0, 1], 4);
  expect(scale.ticks.map(scale.format)).toEqual(["−0.02", "−0.01", "0.00", "0.01", "0.02", "0.03"]);
});

test("whole numbers have no decimals, however large", () => {
  const scale = exactScale([1, 2000], [0, 1], 4);
  expect(scale.ticks.map(scale.format)).toEqual(["500", "1000", "1500", "2000"]);
});

test.each([0, 3, -0.5])("a single value %d stands inside a domain of its own", (value) => {
  for (const scale of [niceScale([value, value], [0, 1], 4), exactScale([value, value], [0, 1], 4)]) {
    expect(scale(value)).toBeGreaterThan(0);
    expect(scale(value)).toBeLessThan(1);
  }
});

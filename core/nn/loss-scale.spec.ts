import { LossScale } from "./loss-scale.js";

test("an overflow halves the factor and is counted, 2,000 good updates double it", () => {
  const scale = new LossScale();
  const first = scale.factor;
  expect([scale.note(Number.POSITIVE_INFINITY), scale.note(Number.NaN), scale.note(1)]).toEqual([false, false, true]);
  expect([scale.factor, scale.skipped]).toEqual([first / 4, 2]);
  for (let i = 1; i < 2000; i++) scale.note(1);
  expect(scale.factor).toBe(first / 2);
  // An overflow in between begins the count anew.
  for (let i = 0; i < 1999; i++) scale.note(1);
  scale.note(Number.NaN);
  scale.note(1);
  expect([scale.factor, scale.skipped]).toEqual([first / 4, 3]);
});

test("what overflows at any scale is a divergence", () => {
  const scale = new LossScale();
  expect(() => {
    for (let i = 0; i < 100; i++) scale.note(Number.NaN);
  }).toThrow(expect.objectContaining({ kind: "diverged" }));
  expect(scale.skipped).toBeGreaterThan(20);
});

import { Pace } from "./pace.js";

test("the rest is told at the steps' own pace, whenever they are watched", () => {
  const pace = new Pace(10);
  expect(pace.step(1000)).toBeUndefined();
  expect(pace.step(1002)).toBe(16);
  expect(pace.step(1010)).toBe(35);
});

test("after the last step nothing is left", () => {
  const pace = new Pace(2);
  pace.step(5);
  expect(pace.step(9)).toBe(0);
});

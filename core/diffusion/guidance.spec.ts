import { guide } from "./guidance.js";

test("guidance leads away from the unconditional prediction by its scale", () => {
  const uncond = Float32Array.of(1, -2);
  const cond = Float32Array.of(3, -2);
  expect([...guide(uncond, cond, 7.5)]).toEqual([16, -2]);
  expect([...guide(uncond, cond, 1)]).toEqual([...cond]);
  expect([...guide(uncond, cond, 0)]).toEqual([...uncond]);
});

import { guide, rescaleGuided } from "./guidance.js";

test("guidance leads away from the unconditional prediction by its scale", () => {
  const uncond = Float32Array.of(1, -2);
  const cond = Float32Array.of(3, -2);
  expect([...guide(uncond, cond, 7.5)]).toEqual([16, -2]);
  expect([...guide(uncond, cond, 1)]).toEqual([...cond]);
  expect([...guide(uncond, cond, 0)]).toEqual([...uncond]);
});

describe("guidance rescale", () => {
  // Two samples of deviation 2 and 6 (unbiased), the conditional ones of 1 and 3.
  const guided = Float32Array.of(-2, 0, 2, 4, 10, 16);
  const cond = Float32Array.of(4, 5, 6, -3, 0, 3);

  test("leads each sample's deviation back to the conditional one's", () => {
    expect([...rescaleGuided(guided, cond, 1, 2)]).toEqual([-1, 0, 1, 2, 5, 8]);
  });

  test("goes only its share of the way", () => {
    expect([...rescaleGuided(guided, cond, 0.5, 2)]).toEqual([-1.5, 0, 1.5, 3, 7.5, 12]);
    expect([...rescaleGuided(guided, cond, 0, 2)]).toEqual([...guided]);
  });
});

import { karrasSigmas, sigmaAt, timestepAt } from "./sigma-schedule.js";

const SIGMAS = Float32Array.of(0.5, 1, 2, 8);

test("Karras's schedule joins its ends evenly in the seventh root", () => {
  const sigmas = karrasSigmas(128, 1, 3);
  expect(sigmas[0]).toBeCloseTo(128, 9);
  expect(sigmas[1]).toBeCloseTo(1.5 ** 7, 9);
  expect(sigmas[2]).toBeCloseTo(1, 9);
  expect(karrasSigmas(5, 1, 1)[0]).toBeCloseTo(5, 9);
});

test("sigma between two timesteps is interpolated, outside the schedule it stays at the end", () => {
  expect([-1, 0, 1.5, 3, 7].map((t) => sigmaAt(SIGMAS, t))).toEqual([0.5, 0.5, 1.5, 8, 8]);
});

test("the timestep of a sigma is interpolated in its logarithm", () => {
  for (const [sigma, expected] of [
    [0.1, 0],
    [0.5, 0],
    [Math.SQRT2, 1.5],
    [4, 2.5],
    [8, 3],
    [99, 3],
  ] as const) {
    expect(timestepAt(SIGMAS, sigma)).toBeCloseTo(expected, 6);
  }
});

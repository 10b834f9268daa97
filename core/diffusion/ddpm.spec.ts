import { createDdpm, type DdpmConfig } from "./ddpm.js";

const CONFIG: DdpmConfig = {
  numTrainTimesteps: 100,
  betaStart: 0.001,
  betaEnd: 0.2,
  betaSchedule: "linear",
  timestepSpacing: "linspace",
  stepsOffset: 0,
  predictionType: "epsilon",
  clipSample: false,
  clipSampleRange: 1,
};
const ZERO = new Float32Array(1);
const ONE = Float32Array.of(1);

test("every step but one at timestep 0 needs noise", () => {
  const sampler = createDdpm(CONFIG, 3);
  expect(sampler.timesteps).toEqual([99, 50, 0]);
  expect([0, 1, 2].map((i) => sampler.needsNoise(i))).toEqual([true, true, false]);
});

test("fixed_large adds beta, fixed_small the smaller posterior variance", () => {
  const small = createDdpm(CONFIG, 100).step(ZERO, 50, ZERO, ONE)[0]!;
  const large = createDdpm({ ...CONFIG, varianceType: "fixed_large" }, 100).step(ZERO, 50, ZERO, ONE)[0]!;
  const beta = 0.001 + (0.199 * 49) / 99;
  expect(large ** 2).toBeCloseTo(beta, 5);
  expect(small).toBeLessThan(large);
  expect(small).toBeGreaterThan(0.99 * large);
});

test("learned variances are refused", () => {
  expect(() => createDdpm({ ...CONFIG, varianceType: "learned_range" }, 3)).toThrow("variance_type is learned_range");
});

import { createEuler, type EulerConfig } from "./euler.js";

const CONFIG: EulerConfig = {
  numTrainTimesteps: 1000,
  betaStart: 0.00085,
  betaEnd: 0.012,
  betaSchedule: "scaled_linear",
  timestepSpacing: "linspace",
  stepsOffset: 0,
  predictionType: "epsilon",
};

test("the model is shown a sample of unit variance", () => {
  const sampler = createEuler(CONFIG, 5);
  expect(sampler.initNoiseSigma).toBeCloseTo(14.6146, 3);
  const shown = sampler.scaleModelInput(Float32Array.of(sampler.initNoiseSigma), 0);
  expect(shown[0]).toBeCloseTo(1 / Math.sqrt(1 + 14.6146 ** -2), 6);
});

test("sigmas fall to the end the configuration asks for", () => {
  const toZero = createEuler(CONFIG, 5).sigmas!;
  const toSmallest = createEuler({ ...CONFIG, finalSigmasType: "sigma_min" }, 5).sigmas!;
  expect(toZero[5]).toBe(0);
  expect(toSmallest[5]).toBeCloseTo(0.0291675, 6);
  for (let i = 0; i < 5; i++) expect(toZero[i]).toBeGreaterThan(toZero[i + 1]!);
});

test("noise schedules that are not supported are refused by name", () => {
  expect(() => createEuler({ ...CONFIG, useBetaSigmas: true }, 5)).toThrow("use_beta_sigmas");
  expect(() => createEuler({ ...CONFIG, useExponentialSigmas: true }, 5)).toThrow("use_exponential_sigmas");
});

test("log-linear levels lie evenly in log sigma, and the last step ends at the smallest", () => {
  const { sigmas, timesteps } = createEuler({ ...CONFIG, interpolationType: "log_linear" }, 4);
  expect(sigmas).toHaveLength(5);
  const logs = Array.from(sigmas!, Math.log);
  for (let i = 1; i < 4; i++) expect(logs[i]! - logs[i - 1]!).toBeCloseTo(logs[i + 1]! - logs[i]!, 5);
  expect([sigmas![0], sigmas![4]]).toEqual([expect.closeTo(14.6146, 3), expect.closeTo(0.0291675, 6)]);
  expect(timesteps).toEqual(createEuler(CONFIG, 4).timesteps);
});

test("continuous timesteps are a quarter of log sigma, for models that predict v alone", () => {
  const continuous = { ...CONFIG, timestepType: "continuous" } as const;
  const { timesteps, sigmas } = createEuler({ ...continuous, predictionType: "v_prediction" }, 3);
  for (const [i, t] of timesteps.entries()) expect(t).toBeCloseTo(Math.log(sigmas![i]!) / 4, 5);
  expect(createEuler(continuous, 3).timesteps).toEqual(createEuler(CONFIG, 3).timesteps);
});

test("the configuration may name the ends of Karras's schedule", () => {
  const ends = { ...CONFIG, sigmaMin: 0.1, sigmaMax: 9 };
  const { sigmas } = createEuler({ ...ends, useKarrasSigmas: true }, 4);
  expect([sigmas![0], sigmas![3]]).toEqual([9, expect.closeTo(0.1, 6)]);
  expect(createEuler(ends, 4).sigmas).toEqual(createEuler(CONFIG, 4).sigmas);
});

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

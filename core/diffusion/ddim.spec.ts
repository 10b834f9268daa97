import { createDdim, type DdimConfig, ddimSigma } from "./ddim.js";

const CONFIG: DdimConfig = {
  numTrainTimesteps: 1000,
  betaStart: 0.00085,
  betaEnd: 0.012,
  betaSchedule: "scaled_linear",
  timestepSpacing: "leading",
  stepsOffset: 1,
  predictionType: "epsilon",
  setAlphaToOne: false,
  clipSample: false,
  clipSampleRange: 1,
};
const ZEROS = new Float32Array(2);

test("sigma is eta's share of the posterior's deviation", () => {
  expect(ddimSigma(0.25, 0.75, 1)).toBeCloseTo(Math.sqrt((0.25 / 0.75) * (1 - 0.25 / 0.75)), 12);
  expect(ddimSigma(0.25, 0.75, 0)).toBe(0);
});

test("noise enters by sigma, and only at an eta above 0", () => {
  const sampler = createDdim(CONFIG, 10, { eta: 1 });
  const plain = sampler.step(ZEROS, 9, ZEROS, ZEROS);
  const noisy = sampler.step(ZEROS, 9, ZEROS, Float32Array.of(1, -2));
  const sigma = 0.020648; // between timesteps 1 and 0 of this schedule
  expect(noisy[0]! - plain[0]!).toBeCloseTo(sigma, 5);
  expect(noisy[1]! - plain[1]!).toBeCloseTo(-2 * sigma, 5);
  expect(createDdim(CONFIG, 10).needsNoise(0)).toBe(false);
  expect(() => sampler.step(ZEROS, 0, ZEROS)).toThrow("step 0 adds noise but was given none");
});

test("the predicted image is cut to the clipping range", () => {
  const sampler = createDdim({ ...CONFIG, clipSample: true, clipSampleRange: 0.5, setAlphaToOne: true }, 1);
  const prev = sampler.step(ZEROS, 0, Float32Array.of(30, -0.1));
  expect(prev[0]).toBeCloseTo(0.5, 6);
  expect(prev[1]).toBeGreaterThan(-0.5);
});

test("settings that do not go together are refused", () => {
  expect(() => createDdim(CONFIG, 10, { eta: 1.5 })).toThrow("eta is 1.5");
  expect(() => createDdim({ ...CONFIG, thresholding: true }, 10)).toThrow("thresholding");
  const zeroSnr = { ...CONFIG, rescaleBetasZeroSnr: true, timestepSpacing: "trailing" } as const;
  expect(() => createDdim(zeroSnr, 10)).toThrow("pure noise (timestep 999)");
  expect(() => createDdim({ ...zeroSnr, predictionType: "v_prediction" }, 10)).not.toThrow();
});

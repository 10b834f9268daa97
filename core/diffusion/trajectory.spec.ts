import { listCases, loadCase } from "../../test/reference/cases.js";
import { SpinError } from "../errors.js";
import { alphasCumprod } from "./noise-schedule.js";
import { createPhiloxStream } from "./philox.js";
import { noiseForm, originalForm } from "./prediction.js";
import { samplingTimesteps } from "./timestep-spacing.js";
import {
  errorFactor,
  realState,
  realStep,
  realTarget,
  realTrajectory,
  renoisedDraw,
  syntheticStep,
  syntheticTarget,
  type TargetType,
  type TrajectoryStep,
  trajectorySteps,
} from "./trajectory.js";

const SCHEDULE = {
  numTrainTimesteps: 1000,
  betaStart: 0.00085,
  betaEnd: 0.012,
  betaSchedule: "scaled_linear",
} as const;
const SPACING = { numTrainTimesteps: 1000, timestepSpacing: "leading", stepsOffset: 1 } as const;
const ALPHA_BARS = alphasCumprod(SCHEDULE);
const SIZE = 12;
const TYPES: readonly TargetType[] = ["epsilon", "v_prediction"];

const stream = createPhiloxStream(1n, { iteration: 0, index: 0, purpose: 0 });
const normals = () => stream.normals(SIZE);

/** μ(x_t) = √ᾱ_{t−1} x̂_0 + √(1−ᾱ_{t−1}−σ_t²) ε̂, written out in double precision. */
function mean(xt: Float32Array, output: Float32Array, step: TrajectoryStep, type: TargetType): Float64Array {
  const original = originalForm(type, step.abar);
  const epsilon = noiseForm(type, step.abar);
  const direction = Math.sqrt(Math.max(0, 1 - step.abarPrev - step.sigma ** 2));
  return Float64Array.from(xt, (x, i) => {
    const x0 = original.sample * x + original.output * output[i]!;
    return Math.sqrt(step.abarPrev) * x0 + direction * (epsilon.sample * x + epsilon.output * output[i]!);
  });
}

/** Largest |x_{t−1} − μ(x_t; output) − factor · (target − output)|. */
function gap(
  next: Float32Array,
  mu: Float64Array,
  target: Float32Array,
  output: Float32Array,
  step: TrajectoryStep,
  type: TargetType,
): number {
  const factor = errorFactor(step, type);
  return Math.max(...next.map((x, i) => Math.abs(x - mu[i]! - factor * (target[i]! - output[i]!))));
}

describe("trajectorySteps", () => {
  test("run from the noisiest step to the image, each ending where the next begins", () => {
    const steps = trajectorySteps(ALPHA_BARS, samplingTimesteps(SPACING, 5), 1);
    expect(steps.map((s) => s.timestep)).toEqual([801, 601, 401, 201, 1]);
    expect(steps.map((s) => s.timestepPrev)).toEqual([601, 401, 201, 1, -1]);
    for (const [i, step] of steps.slice(1).entries()) expect(steps[i]!.abarPrev).toBe(step.abar);
    expect(steps[4]!.abarPrev).toBe(ALPHA_BARS[0]);
    expect(steps[4]!.sigma).toBeGreaterThan(0);
  });

  test.each([
    [1, 0.018],
    [0, 0.005],
  ])("at eta %d and 50 steps, kappa² averages %d", (eta, expected) => {
    const steps = trajectorySteps(ALPHA_BARS, samplingTimesteps(SPACING, 50), eta);
    const average = steps.reduce((sum, { kappa }) => sum + kappa ** 2, 0) / 50;
    expect(average).toBeGreaterThan(expected - 0.0006);
    expect(average).toBeLessThan(expected + 0.0006);
  });

  test("refuse a step at timestep 0, which would change nothing", () => {
    const timesteps = samplingTimesteps({ ...SPACING, stepsOffset: 0 }, 5);
    expect(() => trajectorySteps(ALPHA_BARS, timesteps, 1)).toThrow(SpinError);
    expect(() => trajectorySteps(ALPHA_BARS, timesteps, 1)).toThrow("steps_offset to 1");
  });
});

describe.each(TYPES)("in %s space, x_{t-1} - mu(x_t) is the factor times (target - output)", (type) => {
  const cases = [0, 0.5, 1].flatMap((eta) =>
    trajectorySteps(ALPHA_BARS, samplingTimesteps(SPACING, 10), eta).map((step) => ({ eta, step })),
  );

  test.each(cases)("on the real side at eta $eta, timestep $step.timestep", ({ step }) => {
    const [x0, z, output] = [normals(), normals(), normals()];
    const xt = realState(x0, normals(), step);
    const next = realStep(xt, x0, z, step);
    const target = realTarget(xt, x0, z, step, type);
    expect(gap(next, mean(xt, output, step, type), target, output, step, type)).toBeLessThan(2e-5);
  });

  test.each(cases)("on the synthetic side at eta $eta, timestep $step.timestep", ({ step }) => {
    const [xt, z, used, output] = [normals(), normals(), normals(), normals()];
    const next = syntheticStep(xt, used, z, step, type);
    const target = syntheticTarget(used, z, step, type);
    expect(gap(next, mean(xt, output, step, type), target, output, step, type)).toBeLessThan(2e-5);
  });
});

test("v space holds out at pure noise, where noise space does not", () => {
  const [step] = trajectorySteps([0.99, 0.5, 0], [2, 1], 1);
  expect(errorFactor(step!, "epsilon")).toBe(Number.NEGATIVE_INFINITY);
  const [x0, z, output] = [normals(), normals(), normals()];
  const xt = realState(x0, normals(), step!);
  const target = realTarget(xt, x0, z, step!, "v_prediction");
  const next = realStep(xt, x0, z, step!);
  expect(gap(next, mean(xt, output, step!, "v_prediction"), target, output, step!, "v_prediction")).toBeLessThan(1e-5);
});

test("the real trajectory keeps the forward process's marginals", () => {
  const steps = trajectorySteps(ALPHA_BARS, samplingTimesteps(SPACING, 4), 1);
  const count = 20_000;
  const x0 = new Float32Array(count).fill(1.5);
  const z = steps.map(() => stream.normals(count));
  const states = realTrajectory(x0, stream.normals(count), z, steps);
  expect(states).toHaveLength(5);
  for (const [i, state] of states.entries()) {
    const abar = steps[i]?.abar ?? ALPHA_BARS[0]!;
    const average = state.reduce((sum, x) => sum + x, 0) / count;
    const variance = state.reduce((sum, x) => sum + (x - average) ** 2, 0) / count;
    expect(Math.abs(average - 1.5 * Math.sqrt(abar))).toBeLessThan(5 * Math.sqrt((1 - abar) / count));
    expect(Math.abs(variance / (1 - abar) - 1)).toBeLessThan(5 * Math.sqrt(2 / count));
  }
});

test("a re-noised draw asks for the noise, or for the velocity that rotates back to x_0", () => {
  const [x0, noise] = [normals(), normals()];
  expect(renoisedDraw(x0, noise, 0.36, "epsilon").target).toBe(noise);
  const { sample, target } = renoisedDraw(x0, noise, 0.36, "v_prediction");
  for (let i = 0; i < SIZE; i++) {
    expect(sample[i]).toBeCloseTo(0.6 * x0[i]! + 0.8 * noise[i]!, 6);
    expect(0.6 * sample[i]! - 0.8 * target[i]!).toBeCloseTo(x0[i]!, 6);
  }
});

const GOLDEN = listCases().filter((id) => /^objective\/spin-(exact|approx)/.test(id));

/** Golden trajectories: [N, T + 1, C, H, W], noisiest first. */
describe.each(GOLDEN.length > 0 ? GOLDEN : ["objective/spin-approx"])("the reference's %s", (id) => {
  const golden = GOLDEN.includes(id) ? test : test.skip;

  golden("real trajectory and coefficients come out", async () => {
    const reference = loadCase(id);
    const { steps: listed, betas } = reference.parameters as {
      steps: { eta: number; timesteps: number[]; abar: number[]; abar_previous: number[]; sigma: number[] };
      betas: { beta_schedule: "scaled_linear"; beta_start: number; beta_end: number };
    };
    const alphaBars = alphasCumprod({
      numTrainTimesteps: 1000,
      betaSchedule: betas.beta_schedule,
      betaStart: betas.beta_start,
      betaEnd: betas.beta_end,
    });
    const steps = trajectorySteps(alphaBars, listed.timesteps, listed.eta);
    for (const [i, step] of steps.entries()) {
      expect(Math.abs(step.abar / listed.abar[i]! - 1)).toBeLessThan(1e-6);
      expect(Math.abs(step.abarPrev / listed.abar_previous[i]! - 1)).toBeLessThan(1e-6);
      expect(Math.abs(step.sigma / listed.sigma[i]! - 1)).toBeLessThan(1e-5);
    }

    const { shape } = await reference.tensor("in.x0");
    const size = shape.slice(1).reduce((product, n) => product * n, 1);
    const [x0, noise, z, expected] = await Promise.all(
      ["in.x0", "in.noise_real", "in.z_real", "out.real_trajectory"].map((name) => reference.floats(name)),
    );
    const { rtol, atol } = reference.expected["out.real_trajectory"]!;
    for (let n = 0; n < shape[0]!; n++) {
      const row = (values: Float32Array, index: number) => values.subarray(index * size, (index + 1) * size);
      const noises = steps.map((_, i) => row(z!, n * steps.length + i));
      const states = realTrajectory(row(x0!, n), row(noise!, n), noises, steps);
      for (const [i, state] of states.entries()) {
        const wanted = row(expected!, n * states.length + i);
        const off = state.filter((x, k) => !(Math.abs(x - wanted[k]!) <= atol! + rtol! * Math.abs(wanted[k]!)));
        expect(off).toHaveLength(0);
      }
    }
  });
});

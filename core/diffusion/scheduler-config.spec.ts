import { parseSchedulerConfig } from "./scheduler-config.js";

const parse = (json: unknown) => parseSchedulerConfig(json, "scheduler_config.json");

test("each class has its own defaults for omitted settings", () => {
  const ddim = parse({ _class_name: "DDIMScheduler" });
  expect(ddim).toMatchObject({ setAlphaToOne: true, clipSample: true, timestepSpacing: "leading", stepsOffset: 0 });
  expect(ddim).toMatchObject({ numTrainTimesteps: 1000, betaStart: 1e-4, betaEnd: 0.02, betaSchedule: "linear" });
  expect(parse({ _class_name: "PNDMScheduler" })).toMatchObject({ setAlphaToOne: false, skipPrkSteps: false });
  expect(parse({ _class_name: "DDPMScheduler" })).toMatchObject({ clipSample: true, varianceType: "fixed_small" });
  expect(parse({ _class_name: "EulerDiscreteScheduler" })).toMatchObject({ timestepSpacing: "linspace" });
  expect(parse({ _class_name: "DPMSolverMultistepScheduler", lambda_min_clipped: null })).toMatchObject({
    timestepSpacing: "linspace",
    lambdaMinClipped: Number.NEGATIVE_INFINITY,
    solverOrder: 2,
  });
});

test("what a file says overrides the defaults, and unknown keys do no harm", () => {
  const file = {
    _class_name: "PNDMScheduler",
    beta_schedule: "scaled_linear",
    beta_start: 0.00085,
    beta_end: 0.012,
    clip_sample: false,
    skip_prk_steps: true,
    steps_offset: 1,
    trained_betas: null,
    of_a_later_version: [1],
  };
  expect(parse(file)).toMatchObject({
    betaSchedule: "scaled_linear",
    betaStart: 0.00085,
    stepsOffset: 1,
    skipPrkSteps: true,
  });
});

test("what a class does not know counts for nothing, what it takes for another word is that word", () => {
  const settings = { rescale_betas_zero_snr: true, algorithm_type: "deis", solver_type: "bh2" };
  expect(parse({ _class_name: "PNDMScheduler", ...settings })).toMatchObject({ rescaleBetasZeroSnr: false });
  expect(parse({ _class_name: "DDIMScheduler", ...settings })).toMatchObject({ rescaleBetasZeroSnr: true });
  const dpm = parse({ _class_name: "DPMSolverMultistepScheduler", ...settings });
  expect(dpm).toMatchObject({ algorithmType: "dpmsolver++", solverType: "midpoint" });
});

test("Euler's own settings are read", () => {
  const settings = { interpolation_type: "log_linear", timestep_type: "continuous", sigma_min: 0.002, sigma_max: 80 };
  expect(parse({ _class_name: "EulerDiscreteScheduler", ...settings })).toMatchObject({
    interpolationType: "log_linear",
    timestepType: "continuous",
    sigmaMin: 0.002,
    sigmaMax: 80,
  });
});

test.each([
  [{ _class_name: "EulerDiscreteScheduler", interpolation_type: "cubic" }, "interpolation_type"],
  [{ _class_name: "EulerDiscreteScheduler", timestep_type: "spaced" }, "timestep_type"],
  [{ _class_name: "NoSuchScheduler" }, "_class_name"],
  [{ _class_name: "DDIMScheduler", beta_schedule: "sigmoid" }, "beta_schedule"],
  [{ _class_name: "DDIMScheduler", num_train_timesteps: 0 }, "num_train_timesteps"],
  [{ _class_name: "DDIMScheduler", prediction_type: "flow" }, "prediction_type"],
  [null, "scheduler_config.json"],
])("%j is refused by its key", (json, mention) => {
  expect(() => parse(json)).toThrow(mention);
});

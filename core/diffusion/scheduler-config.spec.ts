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

test.each([
  [{ _class_name: "NoSuchScheduler" }, "_class_name"],
  [{ _class_name: "DDIMScheduler", beta_schedule: "sigmoid" }, "beta_schedule"],
  [{ _class_name: "DDIMScheduler", num_train_timesteps: 0 }, "num_train_timesteps"],
  [{ _class_name: "DDIMScheduler", prediction_type: "flow" }, "prediction_type"],
  [null, "scheduler_config.json"],
])("%j is refused by its key", (json, mention) => {
  expect(() => parse(json)).toThrow(mention);
});

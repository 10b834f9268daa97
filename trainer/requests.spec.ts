import { checkRequest } from "../core/service/validation.js";
import { CropKind, SamplerKind, TimestepChoice } from "../proto/gen/spin/v1/sampling.js";
import { DataType } from "../proto/gen/spin/v1/tensor.js";
import { CreateRunRequest, StartIterationRequest } from "../proto/gen/spin/v1/trainer_service.js";
import { DpoLoss, ErrorReduction, ErrorSpace, IterationSpec, RateScheduleKind } from "../proto/gen/spin/v1/training.js";
import { createRunRequest, startIterationRequest } from "./requests.js";
import { objectiveSettings, rateSchedule, withDefaults } from "./settings.js";

const spec = IterationSpec.fromPartial({
  displayName: "spin-1",
  objective: {
    $case: "spin",
    value: {
      weight: { $case: "lambda", value: 0.5 },
      errorSpace: ErrorSpace.ERROR_SPACE_MU,
      reduction: ErrorReduction.ERROR_REDUCTION_SUM,
    },
  },
  sampling: {
    sampler: { kind: SamplerKind.SAMPLER_KIND_DDIM, numSteps: 10, eta: 1, guidanceScale: 1 },
    timestepChoice: TimestepChoice.TIMESTEP_CHOICE_UNIFORM,
    drawsPerSample: 2,
    image: { crop: CropKind.CROP_KIND_CENTER },
    dtype: DataType.DATA_TYPE_FLOAT32,
    batchSize: 4,
  },
  optimizer: { learningRate: 1e-5 },
  numSteps: 50,
  batchSize: 8,
});
const request = StartIterationRequest.fromPartial({ requestId: "a", runId: "run-1", spec });
const check = (change: object) =>
  checkRequest(
    startIterationRequest,
    StartIterationRequest.decode(
      StartIterationRequest.encode({ ...request, spec: { ...spec, ...change } as IterationSpec }).finish(),
    ),
  );

test("a valid request is returned as it came", () => {
  expect(check({})).toEqual(request);
});

const spin = (change: object) => ({
  objective: { ...spec.objective!, value: { ...spec.objective!.value, ...change } },
});
const dpo = (change: object) => ({ objective: { $case: "dpo", value: { beta: 5, loss: 0, ...change } } });
const unsampled = { sampling: { ...spec.sampling!, sampler: undefined } };
/** Whole trajectories of ten steps. */
const exact = (change: object, sampler: object = {}) => ({
  objective: {
    $case: "spinExact",
    value: {
      lambda: 0.5,
      errorSpace: ErrorSpace.ERROR_SPACE_MU,
      reduction: ErrorReduction.ERROR_REDUCTION_SUM,
      ...change,
    },
  },
  sampling: {
    ...spec.sampling!,
    sampler: { ...spec.sampling!.sampler!, ...sampler },
    timestepChoice: TimestepChoice.TIMESTEP_CHOICE_ALL,
    drawsPerSample: 10,
  },
});
const sampling = (change: object) => ({ sampling: { ...spec.sampling!, ...change } });

test.each<[object, string]>([
  [{ objective: undefined }, "spec.objective: expected one of spin, spin_exact, spin_renoised, sft, dpo, got nothing"],
  [spin({ weight: undefined }), "spec.spin.weight: expected beta or lambda, got nothing"],
  [spin({ weight: { $case: "beta", value: 0 } }), "spec.spin.beta: expected more than 0, got 0"],
  [spin({ reduction: 0 }), "spec.spin.reduction: expected ERROR_REDUCTION_SUM or _MEAN, got 0"],
  [dpo({ beta: -1 }), "spec.dpo.beta: expected more than 0, got -1"],
  [dpo({ loss: 9 }), "spec.dpo.loss: expected a DpoLoss, got 9"],
  [dpo({ ipoTau: 0.1 }), "spec.dpo.ipo_tau: expected unset where the loss is not IPO, got 0.1"],
  [{ ...dpo({}), ...unsampled, earlierShare: 0.5 }, "spec.earlier_share: expected 0 where nothing is sampled, got 0.5"],
  [{ earlierShare: 2 }, "spec.earlier_share: expected at most 1, got 2"],
  [{ divergenceStop: { patience: 1, margin: 0 } }, "spec.divergence_stop.margin: expected more than 0, got 0"],
  [exact({}, { eta: 0 }), "spec.sampling.sampler.eta: expected more than 0 for spin_exact: equation 4.8 weighs"],
  [exact({ lambda: 0 }), "spec.spin_exact.lambda: expected more than 0, got 0"],
  [
    { ...exact({}), ...sampling({}) },
    "spec.sampling.timestep_choice: expected TIMESTEP_CHOICE_ALL for spin_exact, which sums over whole trajectories, got 1",
  ],
  [{ optimizer: { ...spec.optimizer, learningRate: 0 } }, "spec.optimizer.learning_rate: expected more than 0, got 0"],
  [{ optimizer: { ...spec.optimizer, beta2: 1 } }, "spec.optimizer.beta2: expected less than 1, got 1"],
  [{ numSteps: 0 }, "spec.num_steps: expected at least 1, got 0"],
  [{ batchSize: 6 }, "spec.batch_size: expected a multiple of the sampling batch_size, 4, got 6"],
  [{ microBatchSize: 5 }, "spec.micro_batch_size: expected a divisor of batch_size × draws_per_sample, 16, got 5"],
  [
    { numSteps: 1_000_000, batchSize: 65_536 },
    "spec.num_steps: expected at most 2^32 samples in all, so at most 65536",
  ],
  [
    sampling({ sampler: { ...spec.sampling!.sampler!, eta: 0 } }),
    "spec.sampling.sampler.eta: expected more than 0 where the weight is lambda, got 0",
  ],
  [sampling({ sampler: undefined }), "spec.sampling.sampler: expected a sampler for the synthetic side, got nothing"],
  [sampling({ drawsPerSample: 0 }), "spec.sampling.draws_per_sample: expected at least 1, got 0"],
  [{ lora: { rank: 0, targetModules: [] } }, "spec.lora.rank: expected at least 1, got 0"],
  [{ lora: { rank: 4, alpha: 0, targetModules: [] } }, "spec.lora.alpha: expected more than 0, got 0"],
  [
    { lora: { rank: 4, targetModules: ["to_q", "(a+)+$"] } },
    'spec.lora.target_modules[1]: expected the name of a layer, as to_q, got "(a+)+$"',
  ],
  [{ objective: { $case: "sft", value: {} } }, "spec.sampling.sampler: expected no sampler where nothing is sampled"],
])("%j is refused", (change, message) => {
  expect(() => check(change)).toThrow(message);
});

test("a run needs a base and a data set", () => {
  const run = CreateRunRequest.fromPartial({ requestId: "a", base: { modelName: "base" }, dataset: { name: "emoji" } });
  expect(checkRequest(createRunRequest, run)).toEqual(run);
  expect(() => checkRequest(createRunRequest, { ...run, base: undefined })).toThrow("base: expected a message");
  expect(() => checkRequest(createRunRequest, { ...run, dataset: undefined })).toThrow("dataset: expected a message");
  expect(() => checkRequest(createRunRequest, { ...run, requestId: "a b" })).toThrow("request_id: expected 1 to 64");
});

test("what is left out is filled in", () => {
  const { optimizer, microBatchSize } = withDefaults(check({}).spec);
  expect(microBatchSize).toBe(16);
  expect(optimizer).toMatchObject({ beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0.01, maxGradNorm: 1 });
  expect(optimizer).toMatchObject({ schedule: RateScheduleKind.RATE_SCHEDULE_KIND_CONSTANT, scheduleSteps: 50 });
  // Of whole trajectories, no more at once however many steps there are.
  expect(withDefaults(check(exact({})).spec).microBatchSize).toBe(5);
  const stop = withDefaults(check({ divergenceStop: { patience: 0, margin: 9 } }).spec).divergenceStop;
  expect(stop).toEqual({ patience: 5, margin: 9, errorRise: 0.1, realErrorRise: 0.5 });
  const chosen = { learningRate: 1e-5, beta1: 0, maxGradNorm: 0, schedule: 2, warmupSteps: 5, scheduleSteps: 90 };
  expect(withDefaults(check({ optimizer: chosen, microBatchSize: 4 }).spec)).toMatchObject({
    optimizer: chosen,
    microBatchSize: 4,
  });
});

test("what is left out of a LoRA's settings is filled in, and without them there is none", () => {
  const lora = (settings: object | undefined) => withDefaults(check({ lora: settings }).spec).lora;
  expect(lora(undefined)).toBeUndefined();
  expect(lora({ rank: 4, targetModules: [] })).toEqual({
    rank: 4,
    alpha: 4,
    targetModules: ["to_q", "to_k", "to_v", "to_out.0"],
  });
  const chosen = { rank: 4, alpha: 0.5, targetModules: ["conv1"] };
  expect(lora(chosen)).toEqual(chosen);
});

test("settings mean what they say", () => {
  expect(objectiveSettings(check({}).spec.objective)).toEqual({
    kind: "spin",
    beta: { lambda: 0.5 },
    errorSpace: "mu",
    reduction: "sum",
  });
  expect(objectiveSettings(check(exact({})).spec.objective)).toEqual({
    kind: "spin-exact",
    beta: { lambda: 0.5 },
    errorSpace: "mu",
    reduction: "sum",
  });
  const losses = [DpoLoss.DPO_LOSS_UNSPECIFIED, DpoLoss.DPO_LOSS_HINGE, DpoLoss.DPO_LOSS_IPO].map((loss) =>
    objectiveSettings({ $case: "dpo", value: { beta: 5, loss } }),
  );
  expect(losses).toEqual([
    { kind: "dpo", beta: 5, loss: { kind: "sigmoid" } },
    { kind: "dpo", beta: 5, loss: { kind: "hinge" } },
    { kind: "dpo", beta: 5, loss: { kind: "ipo", tau: 0.1 } },
  ]);
  expect(objectiveSettings({ $case: "spinRenoised", value: { beta: 5 } })).toEqual({ kind: "spin-renoised", beta: 5 });
  const optimizer = {
    learningRate: 1e-3,
    schedule: RateScheduleKind.RATE_SCHEDULE_KIND_COSINE,
    warmupSteps: 2,
    scheduleSteps: 9,
  };
  expect(rateSchedule(optimizer)).toEqual(["cosine", { base: 1e-3, warmupSteps: 2, scheduleSteps: 9 }]);
});

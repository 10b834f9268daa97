import { largestDivisor } from "../../core/largest-divisor.js";
import { checkRequest } from "../../core/service/validation.js";
import { DpoLoss, RateScheduleKind } from "../../proto/gen/spin/v1/training.js";
import { startIterationRequest } from "../../trainer/requests.js";
import { toIterationSpec } from "./iteration-spec.js";
import { type IterationSettings, OBJECTIVES } from "./settings.js";

const SETTINGS: IterationSettings = {
  objective: "spin",
  beta: 5000,
  errorSpace: "mu",
  reduction: "sum",
  steps: 50,
  batch: 24,
  draws: 2,
  timesteps: "stratified",
  microBatch: 12,
  checkpointInterval: 0,
  learningRate: 2e-5,
  weightDecay: 0,
  maxGradNorm: 0,
  schedule: "linear",
  warmup: 200,
  scheduleSteps: 1000,
  samplingSteps: 20,
  eta: 1,
  guidance: 7.5,
  promptDropout: 0.1,
  crop: "random",
  flip: 0.5,
  resolution: 512,
};

test.each(OBJECTIVES)("the settings of %s make a spec that the trainer accepts", (objective) => {
  const lambda = objective === "spin-exact" ? 0.5 : undefined;
  const spec = toIterationSpec({ ...SETTINGS, objective, lambda }, "first");
  const checked = checkRequest(startIterationRequest, { requestId: "r", runId: "run", spec });
  expect(checked.spec.objective.$case).toBe(objective.replace(/-./, ([, letter]) => letter!.toUpperCase()));
  expect(checked.spec.sampling.sampler === undefined).toBe(objective === "sft" || objective === "dpo");
});

test("every setting arrives, those that are 0 included", () => {
  const spec = toIterationSpec({ ...SETTINGS, lambda: 0.5 }, "first");
  expect(spec.objective).toMatchObject({
    value: { weight: { $case: "lambda", value: 0.5 }, errorSpace: 2, reduction: 1 },
  });
  expect(spec.optimizer).toMatchObject({
    learningRate: 2e-5,
    weightDecay: 0,
    maxGradNorm: 0,
    schedule: RateScheduleKind.RATE_SCHEDULE_KIND_LINEAR,
    warmupSteps: 200,
    scheduleSteps: 1000,
  });
  expect(spec.sampling).toMatchObject({
    drawsPerSample: 2,
    promptDropout: 0.1,
    batchSize: 12,
    image: { resolution: 512, flipProbability: 0.5 },
    sampler: { numSteps: 20, eta: 1, guidanceScale: 7.5 },
  });
  expect(spec).toMatchObject({ numSteps: 50, batchSize: 24, microBatchSize: 12 });
});

test("whole trajectories have a draw of every step, and one sample in a batch unless asked otherwise", () => {
  const { sampling } = toIterationSpec({ ...SETTINGS, objective: "spin-exact", lambda: 0.5 }, "first");
  expect(sampling).toMatchObject({ timestepChoice: 3, drawsPerSample: 20, batchSize: 1 });
});

test("a divergence stop is asked for by name or by any of its limits, and refused by name", () => {
  const stop = (change: Partial<IterationSettings>) => toIterationSpec({ ...SETTINGS, ...change }, "a").divergenceStop;
  expect(stop({})).toBeUndefined();
  expect(stop({ divergenceStop: true })).toEqual({ patience: 0 });
  expect(stop({ divergencePatience: 3, divergenceRealErrorRise: 0.2 })).toEqual({ patience: 3, realErrorRise: 0.2 });
  expect(stop({ divergenceStop: false, divergenceMargin: 3 })).toBeUndefined();
});

test("the loss of DPO and the earlier opponents' share arrive", () => {
  const spec = toIterationSpec({ ...SETTINGS, objective: "dpo", dpoLoss: "ipo", ipoTau: 0.2 }, "first");
  expect(spec.objective).toMatchObject({ value: { beta: 5000, loss: DpoLoss.DPO_LOSS_IPO, ipoTau: 0.2 } });
  expect(toIterationSpec({ ...SETTINGS, earlierShare: 0.25 }, "first").earlierShare).toBe(0.25);
});

test("a LoRA is asked for with the settings that are given, and with a rank of none where it is missing", () => {
  const lora = (change: Partial<IterationSettings>) => toIterationSpec({ ...SETTINGS, ...change }, "first").lora;
  expect(lora({})).toBeUndefined();
  expect(lora({ loraRank: 8 })).toEqual({ rank: 8, targetModules: [] });
  const all = { loraRank: 8, loraAlpha: 4, loraTargets: ["to_q", "ff.net.2"] };
  expect(lora(all)).toEqual({ rank: 8, alpha: 4, targetModules: ["to_q", "ff.net.2"] });
  expect(lora({ loraAlpha: 4 })).toMatchObject({ rank: 0 });
});

test("a sampling batch divides the batch", () => {
  expect([1, 8, 16, 17, 24, 2048].map((batch) => largestDivisor(batch, 16))).toEqual([1, 8, 16, 1, 12, 16]);
});

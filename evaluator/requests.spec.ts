import { checkRequest } from "../core/service/validation.js";
import { EvaluationSpec } from "../proto/gen/spin/v1/evaluation.js";
import { StartEvaluationRequest } from "../proto/gen/spin/v1/evaluator_service.js";
import { startEvaluationRequest } from "./requests.js";

const valid = EvaluationSpec.fromPartial({
  checkpoints: [
    { label: "base", checkpoint: { modelName: "base" } },
    { label: "spin-1", checkpoint: { modelName: "spin" }, totalSteps: 50 },
  ],
  prompts: { name: "emoji" },
  seeds: [1n],
  sampler: { numSteps: 20, guidanceScale: 2 },
  scorers: ["scorer"],
});
const check = (change: Partial<EvaluationSpec>) =>
  checkRequest(
    startEvaluationRequest,
    StartEvaluationRequest.create({ requestId: "r", spec: { ...valid, ...change } }),
  );

test("defaults are filled in", () => {
  const { spec } = check({});
  expect(spec).toMatchObject({ baselineLabel: "base", batchSize: 8, bootstrapSamples: 2000 });
  expect(check({ baselineLabel: "spin-1", batchSize: 3, bootstrapSamples: 100 }).spec).toMatchObject({
    baselineLabel: "spin-1",
    batchSize: 3,
    bootstrapSamples: 100,
  });
});

const [first, second] = valid.checkpoints;
test.each<[string, Partial<EvaluationSpec>]>([
  ["spec.checkpoints", { checkpoints: [] }],
  ["spec.checkpoints", { checkpoints: [first!, { ...second!, label: "base" }] }],
  ["spec.checkpoints[0].label", { checkpoints: [{ ...first!, label: "real" }] }],
  ["spec.checkpoints[0].label", { checkpoints: [{ ...first!, label: "a/b" }] }],
  ["spec.checkpoints[0].checkpoint", { checkpoints: [{ ...first!, checkpoint: { digest: "", modelName: "" } }] }],
  ["spec.baseline_label", { baselineLabel: "sft" }],
  ["spec.prompts", { prompts: undefined }],
  ["spec.prompts.name", { prompts: { name: "../emoji", digest: "", split: "" } }],
  ["spec.seeds", { seeds: [] }],
  ["spec.seeds", { seeds: [1n, 1n] }],
  ["spec.sampler", { sampler: undefined }],
  ["spec.scorers", { scorers: [] }],
  ["spec.scorers[0]", { scorers: ["../scorer"] }],
  ["spec.batch_size", { batchSize: 257 }],
  ["spec.bootstrap_samples", { bootstrapSamples: 99 }],
])("a request with a wrong %s is refused by that name", (field, change) => {
  expect(() => check(change)).toThrow(expect.objectContaining({ kind: "invalid", details: { field } }));
});

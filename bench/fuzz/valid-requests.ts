import {
  GetCheckpointRequest,
  ListCheckpointsRequest,
  ReadFileRequest,
} from "../../proto/gen/spin/v1/checkpoint_service.js";
import {
  CancelEvaluationRequest,
  CompareRequest,
  GetEvaluationRequest,
  GetReportRequest,
  GetTableRequest,
  ListEvaluationsRequest,
  StartEvaluationRequest,
  WatchEvaluationRequest,
} from "../../proto/gen/spin/v1/evaluator_service.js";
import {
  GetGeneratorRequest,
  RenderImagesRequest,
  SampleTrajectoriesRequest,
} from "../../proto/gen/spin/v1/generator_service.js";
import { CropKind, SampleForm, SamplerKind, TimestepChoice } from "../../proto/gen/spin/v1/sampling.js";
import { DataType } from "../../proto/gen/spin/v1/tensor.js";
import {
  CancelIterationRequest,
  CreateRunRequest,
  GetIterationRequest,
  GetRunRequest,
  ListRunsRequest,
  StartIterationRequest,
  WatchIterationRequest,
} from "../../proto/gen/spin/v1/trainer_service.js";
import { ErrorReduction, ErrorSpace } from "../../proto/gen/spin/v1/training.js";

/** Turns a message of the generated code into bytes. */
const bytes = <T, Partial>(
  type: { fromPartial(partial: Partial): T; encode(message: T): { finish(): Uint8Array } },
  partial: Partial,
): Uint8Array => type.encode(type.fromPartial(partial)).finish();

const digest = `sha256:${"a".repeat(64)}`;
const checkpoint = { digest, modelName: "models/none" };
const dataset = { name: "emoji/winners", digest, split: "train" };
const sampler = {
  kind: SamplerKind.SAMPLER_KIND_DDIM,
  numSteps: 5,
  eta: 0.5,
  guidanceScale: 2,
  negativePrompt: "blurry",
  guidanceRescale: 0.5,
  clipSkip: 0,
};
const settings = {
  sampler,
  timestepChoice: TimestepChoice.TIMESTEP_CHOICE_UNIFORM,
  drawsPerSample: 2,
  promptDropout: 0.1,
  image: { resolution: 64, crop: CropKind.CROP_KIND_CENTER, flipProbability: 0.5 },
  dtype: DataType.DATA_TYPE_FLOAT32,
  batchSize: 2,
  threads: 1,
};
const wholeTrajectories = { ...settings, timestepChoice: TimestepChoice.TIMESTEP_CHOICE_ALL, drawsPerSample: 5 };
const iteration = {
  displayName: "one",
  sampling: settings,
  optimizer: { learningRate: 1e-5, beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0.01, maxGradNorm: 1 },
  numSteps: 3,
  batchSize: 4,
  microBatchSize: 4,
  checkpointInterval: 1,
  lora: { rank: 4, alpha: 4, targetModules: ["to_q"] },
  ema: { decay: 0.999 },
  divergenceStop: { patience: 3, margin: 3, errorRise: 0.1, realErrorRise: 0.1 },
};
const spin = { errorSpace: ErrorSpace.ERROR_SPACE_MU, reduction: ErrorReduction.ERROR_REDUCTION_SUM };
const start = (objective: object, sampling: object = settings) =>
  bytes(StartIterationRequest, {
    requestId: "one",
    runId: "run-99",
    spec: { ...iteration, objective, sampling } as object,
  });
const render = (caption: object) =>
  bytes(RenderImagesRequest, {
    checkpoint,
    dataset,
    items: [{ caption: caption as never, seed: 1n }],
    sampler,
    height: 64,
    width: 64,
    batchSize: 1,
    format: 1,
  });

/**
 * Requests that every service takes as valid, by method: together they set every field that the method has, one case of each oneof at a time. What
 * they name does not exist, so that nothing is computed.
 */
export const VALID_REQUESTS: Readonly<Record<string, readonly Uint8Array[]>> = {
  "/spin.v1.GeneratorService/SampleTrajectories": [
    bytes(SampleTrajectoriesRequest, {
      spec: {
        checkpoint,
        dataset,
        seed: 1n,
        iteration: 1,
        form: SampleForm.SAMPLE_FORM_TRAJECTORY,
        settings,
        earlierCheckpoints: [checkpoint],
        earlierShare: 0.5,
      },
      firstIndex: 2,
      numSamples: 2,
    }),
  ],
  "/spin.v1.GeneratorService/RenderImages": [
    render({ $case: "prompt", value: "a cat" }),
    render({ $case: "captionIndex", value: 1 }),
  ],
  "/spin.v1.GeneratorService/GetGenerator": [bytes(GetGeneratorRequest, {})],
  "/spin.v1.TrainerService/CreateRun": [
    bytes(CreateRunRequest, { requestId: "one", displayName: "One", base: checkpoint, dataset, seed: 1n }),
  ],
  "/spin.v1.TrainerService/StartIteration": [
    start({ $case: "spin", value: { ...spin, weight: { $case: "beta", value: 1 } } }),
    start({ $case: "spin", value: { ...spin, weight: { $case: "lambda", value: 1 } } }),
    start({ $case: "spinExact", value: { ...spin, lambda: 1 } }, wholeTrajectories),
    start({ $case: "spinRenoised", value: { beta: 1 } }),
    start({ $case: "sft", value: {} }, { ...settings, sampler: undefined }),
    start({ $case: "dpo", value: { beta: 1 } }, { ...settings, sampler: undefined }),
  ],
  "/spin.v1.TrainerService/WatchIteration": [bytes(WatchIterationRequest, { iterationId: "run-99-iteration-1" })],
  "/spin.v1.TrainerService/CancelIteration": [bytes(CancelIterationRequest, { iterationId: "run-99-iteration-1" })],
  "/spin.v1.TrainerService/GetIteration": [bytes(GetIterationRequest, { iterationId: "run-99-iteration-1" })],
  "/spin.v1.TrainerService/GetRun": [bytes(GetRunRequest, { runId: "run-99" })],
  "/spin.v1.TrainerService/ListRuns": [bytes(ListRunsRequest, { pageSize: 10 })],
  "/spin.v1.CheckpointService/ListCheckpoints": [bytes(ListCheckpointsRequest, { runId: "run-99", pageSize: 10 })],
  "/spin.v1.CheckpointService/GetCheckpoint": [bytes(GetCheckpointRequest, { digest })],
  "/spin.v1.CheckpointService/ReadFile": [bytes(ReadFileRequest, { digest, path: "unet/config.json" })],
  "/spin.v1.EvaluatorService/StartEvaluation": [
    bytes(StartEvaluationRequest, {
      requestId: "one",
      spec: {
        checkpoints: [{ label: "base", checkpoint, totalSteps: 1 }],
        baselineLabel: "base",
        prompts: dataset,
        maxPrompts: 4,
        seeds: [1n],
        sampler,
        batchSize: 8,
        scorers: ["none"],
        scorerPaths: { none: "models/none" },
        bootstrapSamples: 100,
        bootstrapSeed: 1n,
      },
    }),
  ],
  "/spin.v1.EvaluatorService/WatchEvaluation": [bytes(WatchEvaluationRequest, { evaluationId: "none" })],
  "/spin.v1.EvaluatorService/CancelEvaluation": [bytes(CancelEvaluationRequest, { evaluationId: "none" })],
  "/spin.v1.EvaluatorService/GetEvaluation": [bytes(GetEvaluationRequest, { evaluationId: "none" })],
  "/spin.v1.EvaluatorService/ListEvaluations": [bytes(ListEvaluationsRequest, { pageSize: 10 })],
  "/spin.v1.EvaluatorService/Compare": [
    bytes(CompareRequest, { evaluationId: "none", labelA: "a", labelB: "b", evaluationIdB: "none" }),
  ],
  "/spin.v1.EvaluatorService/GetTable": [bytes(GetTableRequest, { evaluationId: "none", labels: ["a"] })],
  "/spin.v1.EvaluatorService/GetReport": [
    bytes(GetReportRequest, {
      evaluationId: "none",
      curves: [{ label: "one", steps: [{ step: 1, loss: 0.69 }] }],
      referenceLabel: "base",
      estimate: { plannedSeconds: 10, measuredSeconds: 20 },
    }),
  ],
};

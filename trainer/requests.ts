import { z } from "zod";
import {
  adoptIssues,
  checkpointRef,
  datasetRef,
  digest,
  maybe,
  pageToken,
  relativeName,
  requestId,
  resourceId,
  resourceIdOrAll,
  samplingSettings,
  samplingSettingsFor,
} from "../core/service/request-schemas.js";
import type { CheckpointRef } from "../proto/gen/spin/v1/checkpoint.js";
import type {
  GetCheckpointRequest,
  ListCheckpointsRequest,
  ReadFileRequest,
} from "../proto/gen/spin/v1/checkpoint_service.js";
import type { DatasetRef } from "../proto/gen/spin/v1/common.js";
import { TimestepChoice } from "../proto/gen/spin/v1/sampling.js";
import type {
  CancelIterationRequest,
  CreateRunRequest,
  GetIterationRequest,
  GetRunRequest,
  ListRunsRequest,
  StartIterationRequest,
  WatchIterationRequest,
} from "../proto/gen/spin/v1/trainer_service.js";
import {
  type DivergenceStop,
  DpoLoss,
  type EmaSettings,
  ErrorReduction,
  ErrorSpace,
  type LoraSettings,
  type OptimizerSettings,
  Precision,
  RateScheduleKind,
} from "../proto/gen/spin/v1/training.js";
import { type CheckedSpec, formOf, type Objective } from "./settings.js";

/** Schemas of the trainer's requests, for `checkRequest`. They hold what the comments of the proto files promise. */

const wholeNumber = (min: number, max: number) => z.int().min(min).max(max);
const positive = z.number().positive();
const displayName = z.string().max(200);
const decay = z.number().min(0).lt(1);

/** Samples are numbered by 32 bits. */
const MAX_SAMPLES = 2 ** 32;

/** A CreateRunRequest with everything that is required. */
export type CheckedRunRequest = CreateRunRequest & { readonly base: CheckpointRef; readonly dataset: DatasetRef };

export const createRunRequest: z.ZodType<CheckedRunRequest> = z.object({
  requestId,
  displayName,
  base: checkpointRef,
  dataset: datasetRef,
  seed: z.bigint(),
});

const norms = {
  errorSpace: z.literal([ErrorSpace.ERROR_SPACE_EPSILON, ErrorSpace.ERROR_SPACE_MU], "ERROR_SPACE_EPSILON or _MU"),
  reduction: z.literal(
    [ErrorReduction.ERROR_REDUCTION_SUM, ErrorReduction.ERROR_REDUCTION_MEAN],
    "ERROR_REDUCTION_SUM or _MEAN",
  ),
};

const spin = z.object({
  weight: z.discriminatedUnion(
    "$case",
    [
      z.object({ $case: z.literal("beta"), value: positive }),
      z.object({ $case: z.literal("lambda"), value: positive }),
    ],
    "beta or lambda",
  ),
  ...norms,
});

const dpo = z
  .object({
    beta: positive,
    loss: z.literal(
      [DpoLoss.DPO_LOSS_UNSPECIFIED, DpoLoss.DPO_LOSS_SIGMOID, DpoLoss.DPO_LOSS_HINGE, DpoLoss.DPO_LOSS_IPO],
      "a DpoLoss",
    ),
    ipoTau: positive.optional(),
  })
  .refine(({ loss, ipoTau }) => ipoTau === undefined || loss === DpoLoss.DPO_LOSS_IPO, {
    path: ["ipoTau"],
    error: "unset where the loss is not IPO",
  });

const objective: z.ZodType<Objective> = z.discriminatedUnion(
  "$case",
  [
    z.object({ $case: z.literal("spin"), value: spin }),
    z.object({ $case: z.literal("spinRenoised"), value: z.object({ beta: positive }) }),
    z.object({ $case: z.literal("sft"), value: z.object({}) }),
    z.object({ $case: z.literal("dpo"), value: dpo }),
    z.object({ $case: z.literal("spinExact"), value: z.object({ lambda: positive, ...norms }) }),
  ],
  "one of spin, spin_exact, spin_renoised, sft, dpo",
);

const optimizer: z.ZodType<OptimizerSettings> = z.object({
  learningRate: positive,
  beta1: decay.optional(),
  beta2: decay.optional(),
  epsilon: positive.optional(),
  weightDecay: z.number().min(0).optional(),
  maxGradNorm: z.number().min(0).optional(),
  schedule: z.literal(
    [
      RateScheduleKind.RATE_SCHEDULE_KIND_UNSPECIFIED,
      RateScheduleKind.RATE_SCHEDULE_KIND_CONSTANT,
      RateScheduleKind.RATE_SCHEDULE_KIND_LINEAR,
      RateScheduleKind.RATE_SCHEDULE_KIND_COSINE,
    ],
    "a RateScheduleKind",
  ),
  warmupSteps: wholeNumber(0, 1_000_000),
  scheduleSteps: wholeNumber(0, 1_000_000),
});

const lora: z.ZodType<LoraSettings> = z.object({
  rank: wholeNumber(1, 4096),
  alpha: positive.optional(),
  targetModules: z
    .array(
      z
        .string()
        .max(200)
        .regex(/^\w+(\.\w+)*$/, "the name of a layer, as to_q"),
    )
    .max(1000),
});

const divergenceStop: z.ZodType<DivergenceStop> = z.object({
  patience: wholeNumber(0, 10_000),
  margin: positive.optional(),
  errorRise: positive.optional(),
  realErrorRise: positive.optional(),
});

const ema: z.ZodType<EmaSettings> = z.object({ decay });

const iterationSpec: z.ZodType<CheckedSpec> = z
  .object({
    displayName,
    objective,
    sampling: samplingSettings,
    optimizer,
    numSteps: wholeNumber(1, 1_000_000),
    batchSize: wholeNumber(1, 65_536),
    microBatchSize: wholeNumber(0, 65_536_000),
    checkpointInterval: wholeNumber(0, 1_000_000),
    lora: maybe(lora),
    earlierShare: z.number().min(0).max(1),
    divergenceStop: maybe(divergenceStop),
    precision: z
      .literal([Precision.PRECISION_FLOAT32, Precision.PRECISION_FLOAT16, Precision.PRECISION_BFLOAT16], "a Precision")
      .optional(),
    ema: maybe(ema),
  })
  .superRefine((spec, check) => {
    // Which settings suit depends on the objective, which decides the form of the draws.
    const result = samplingSettingsFor(formOf(spec.objective)).safeParse(spec.sampling);
    adoptIssues(check, result, "sampling");
    for (const { holds, path, expected } of result.success ? rules(spec) : []) {
      if (!holds) check.addIssue({ code: "custom", message: expected, path });
    }
  });

/** What must hold between fields that are each valid. */
function rules(spec: CheckedSpec): { holds: boolean; path: string[]; expected: string }[] {
  const { sampling, batchSize, microBatchSize, numSteps } = spec;
  const draws = batchSize * sampling.drawsPerSample;
  const { objective } = spec;
  const isExact = objective.$case === "spinExact";
  const usesLambda = objective.$case === "spin" && objective.value.weight?.$case === "lambda";
  const samples = objective.$case !== "sft" && objective.$case !== "dpo";
  return [
    {
      holds: batchSize % sampling.batchSize === 0,
      path: ["batchSize"],
      expected: `a multiple of the sampling batch_size, ${sampling.batchSize}`,
    },
    {
      holds: microBatchSize === 0 || draws % microBatchSize === 0,
      path: ["microBatchSize"],
      expected: `a divisor of batch_size × draws_per_sample, ${draws}`,
    },
    {
      holds: numSteps * batchSize <= MAX_SAMPLES,
      path: ["numSteps"],
      expected: `at most 2^32 samples in all, so at most ${Math.floor(MAX_SAMPLES / batchSize)}`,
    },
    {
      holds: !usesLambda || (sampling.sampler?.eta ?? 0) > 0,
      path: ["sampling", "sampler", "eta"],
      expected: "more than 0 where the weight is lambda",
    },
    {
      holds: !isExact || (sampling.sampler?.eta ?? 0) > 0,
      path: ["sampling", "sampler", "eta"],
      expected: "more than 0 for spin_exact: equation 4.8 weighs each step by λ / (2 σ_t²), and σ_t is 0 without noise",
    },
    {
      holds: !isExact || sampling.timestepChoice === TimestepChoice.TIMESTEP_CHOICE_ALL,
      path: ["sampling", "timestepChoice"],
      expected: "TIMESTEP_CHOICE_ALL for spin_exact, which sums over whole trajectories",
    },
    {
      holds: samples || spec.earlierShare === 0,
      path: ["earlierShare"],
      expected: "0 where nothing is sampled",
    },
  ];
}

/** A StartIterationRequest with everything that is required. */
export type CheckedIterationRequest = StartIterationRequest & { readonly spec: CheckedSpec };

export const startIterationRequest: z.ZodType<CheckedIterationRequest> = z.object({
  requestId,
  runId: resourceId,
  spec: iterationSpec,
});

const page = { pageSize: wholeNumber(0, 1000), pageToken };

export const runRequest: z.ZodType<GetRunRequest> = z.object({ runId: resourceId });

export const iterationRequest: z.ZodType<GetIterationRequest & CancelIterationRequest> = z.object({
  iterationId: resourceId,
});

export const watchIterationRequest: z.ZodType<WatchIterationRequest> = z.object({
  iterationId: resourceId,
  afterSequence: wholeNumber(0, 2 ** 32 - 1),
});

export const getCheckpointRequest: z.ZodType<GetCheckpointRequest> = z.object({ digest });

export const readFileRequest: z.ZodType<ReadFileRequest> = z.object({ digest, path: relativeName, offset: z.bigint() });

export const listRunsRequest: z.ZodType<ListRunsRequest> = z.object(page);

export const listCheckpointsRequest: z.ZodType<ListCheckpointsRequest> = z.object({
  runId: resourceIdOrAll,
  ...page,
});

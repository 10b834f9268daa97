import { z } from "zod";
import { pathProblem } from "../core/contained-path.js";
import {
  checkpointRef,
  datasetRef,
  emptyOr,
  maybe,
  pageToken,
  relativeName,
  requestId,
  resourceId,
  samplerSettings,
} from "../core/service/request-schemas.js";
import type { CheckpointRef } from "../proto/gen/spin/v1/checkpoint.js";
import type { DatasetRef } from "../proto/gen/spin/v1/common.js";
import type {
  EvaluatedCheckpoint,
  EvaluationSpec,
  LineageEntry,
  TrainingCurve,
} from "../proto/gen/spin/v1/evaluation.js";
import type {
  CancelEvaluationRequest,
  CompareRequest,
  GetEvaluationRequest,
  GetReportRequest,
  GetTableRequest,
  ListEvaluationsRequest,
  StartEvaluationRequest,
  WatchEvaluationRequest,
} from "../proto/gen/spin/v1/evaluator_service.js";
import type { SamplerSettings } from "../proto/gen/spin/v1/sampling.js";

/** Schemas of the evaluator's requests, for `checkRequest`. They hold what the comments of the proto files promise. */

/** What held-out real pictures are called in results. */
export const REAL_LABEL = "real";

/** Stretches of work that a timeline may hold: more than a drawing shows apart. */
export const MAX_TIMELINE_SPANS = 5000;

/** An EvaluationSpec with everything that is required, and defaults filled in. */
export interface CheckedSpec extends EvaluationSpec {
  readonly checkpoints: (EvaluatedCheckpoint & { readonly checkpoint: CheckpointRef })[];
  readonly prompts: DatasetRef;
  readonly sampler: SamplerSettings;
}

const wholeNumber = (min: number, max: number) => z.int().min(min).max(max);
const orDefault = (schema: z.ZodType<number>, value: number) =>
  z.union([z.literal(0).transform(() => value), schema], { error: "0 or a number within the limits" });

/** A path below a folder, of any characters that paths have: `sac+logos+ava1-l14-linearMSE.pth` is one. */
const containedName = z.string().superRefine((path, context) => {
  const problem = pathProblem(path);
  if (problem === undefined) return;
  context.addIssue({ code: "custom", message: `a path below its folder, as a/b, and not one that ${problem}` });
});

const label = z
  .string()
  .regex(/^(?!\.{1,2}$)[A-Za-z0-9._-]{1,64}$/, "1 to 64 characters of [A-Za-z0-9._-]")
  .refine((text) => text !== REAL_LABEL, `another label: ${REAL_LABEL} stands for held-out real pictures`);

const evaluatedCheckpoint = z.object({ label, checkpoint: checkpointRef, totalSteps: wholeNumber(0, 2 ** 32 - 1) });

function areDistinct(values: readonly unknown[]): boolean {
  return new Set(values).size === values.length;
}

export const evaluationSpec: z.ZodType<CheckedSpec> = z
  .object({
    checkpoints: z
      .array(evaluatedCheckpoint)
      .min(1)
      .max(64)
      .refine((all) => areDistinct(all.map((one) => one.label)), "a label of its own for each checkpoint"),
    baselineLabel: emptyOr(label),
    prompts: datasetRef,
    maxPrompts: wholeNumber(0, 2 ** 32 - 1),
    seeds: z.array(z.bigint()).min(1).max(16).refine(areDistinct, "different seeds"),
    sampler: samplerSettings,
    batchSize: orDefault(wholeNumber(1, 256), 8),
    scorers: z.array(relativeName).min(1).max(16).refine(areDistinct, "different scorers"),
    scorerPaths: z.record(relativeName, containedName).default({}),
    bootstrapSamples: orDefault(wholeNumber(100, 100_000), 2000),
    bootstrapSeed: z.bigint(),
  })
  .transform((spec) => ({ ...spec, baselineLabel: spec.baselineLabel || spec.checkpoints[0]!.label }))
  .refine(({ scorers, scorerPaths }) => Object.keys(scorerPaths).every((name) => scorers.includes(name)), {
    path: ["scorerPaths"],
    error: "paths of scorers that are named in scorers",
  })
  .refine(({ checkpoints, baselineLabel }) => checkpoints.some((one) => one.label === baselineLabel), {
    path: ["baselineLabel"],
    error: "the label of one of the checkpoints",
  });

export const startEvaluationRequest: z.ZodType<StartEvaluationRequest & { spec: CheckedSpec }> = z.object({
  requestId,
  spec: evaluationSpec,
  resume: z.boolean().optional(),
});

export const listEvaluationsRequest: z.ZodType<ListEvaluationsRequest> = z.object({
  pageSize: orDefault(wholeNumber(1, 1000), 100),
  pageToken,
});

export const evaluationRequest: z.ZodType<GetEvaluationRequest & CancelEvaluationRequest> = z.object({
  evaluationId: resourceId,
});

export const watchEvaluationRequest: z.ZodType<WatchEvaluationRequest> = z.object({
  evaluationId: resourceId,
  afterSequence: wholeNumber(0, 2 ** 32 - 1),
});

export const compareRequest: z.ZodType<CompareRequest> = z.object({
  evaluationId: resourceId,
  labelA: label,
  labelB: label,
  evaluationIdB: resourceId.optional(),
});

export const getTableRequest: z.ZodType<GetTableRequest> = z.object({
  evaluationId: resourceId,
  labels: z.array(label).max(64),
});

const timelineSpan = z.object({
  kind: z.string().max(200),
  label: z.string().max(200),
  start: z.number().min(0),
  end: z.number().min(0),
});
const timeline = z
  .object({
    seconds: z.number().min(0),
    lanes: z.array(z.object({ name: z.string().max(200), spans: z.array(timelineSpan) })).max(64),
  })
  .refine(({ lanes }) => lanes.reduce((sum, { spans }) => sum + spans.length, 0) <= MAX_TIMELINE_SPANS, {
    error: `at most ${MAX_TIMELINE_SPANS} spans`,
  });

const shown = z.string().max(200);

const someSeconds = z.number().positive().max(1e9);

/** The steps of a curve are figures that are drawn as they are. */
const curve = z.looseObject({ label: shown, steps: z.array(z.unknown()) }) as unknown as z.ZodType<TrainingCurve>;

/** Lineage is shown as the trainer's messages have it. */
export const getReportRequest: z.ZodType<GetReportRequest> = z.object({
  evaluationId: resourceId,
  curves: z.array(curve).max(256),
  lineage: z.array(z.custom<LineageEntry>()).max(1000),
  timeline: maybe(timeline),
  referenceLabel: shown.optional(),
  estimate: maybe(z.object({ plannedSeconds: someSeconds, measuredSeconds: someSeconds })),
});

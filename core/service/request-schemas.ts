import { z } from "zod";
import type { CheckpointRef } from "../../proto/gen/spin/v1/checkpoint.js";
import type { DatasetRef } from "../../proto/gen/spin/v1/common.js";
import type { SampleTrajectoriesRequest } from "../../proto/gen/spin/v1/generator_service.js";
import {
  CropKind,
  type ImagePreparation,
  SampleForm,
  SamplerKind,
  type SamplerSettings,
  type SamplingSettings,
  type SamplingSpec,
  TimestepChoice,
  TimestepSpacing,
} from "../../proto/gen/spin/v1/sampling.js";
import { DataType } from "../../proto/gen/spin/v1/tensor.js";

/**
 * Schemas of the messages that several services take, for `checkRequest`. They hold what the comments of the proto
 * files promise; what depends on a model or a data set (whether it exists, sizes that must divide) is checked where
 * those are known.
 */

const share = z.number().min(0).max(1);
const wholeNumber = (min: number, max: number) => z.int().min(min).max(max);
/** The errors are the schema's own: those of a union would say nothing of what is expected. */
export const emptyOr = (schema: z.ZodType<string>): z.ZodType<string> =>
  z.string().superRefine((text, check) => {
    if (text !== "") adoptIssues(check, schema.safeParse(text));
  });

/**
 * Has a value's check tell what another schema finds wrong with a part of it, in that schema's words.
 * @param at where the part is
 */
export function adoptIssues(
  check: { readonly issues: z.core.$ZodRawIssue[] },
  { error }: z.ZodSafeParseResult<unknown>,
  ...at: string[]
): void {
  for (const issue of error?.issues ?? []) {
    check.issues.push({ ...issue, path: [...at, ...issue.path], input: undefined } as z.core.$ZodRawIssue);
  }
}

/** A message that may be unset; the generated types have the key all the same. */
export const maybe = <T>(schema: z.ZodType<T>): z.ZodType<T | undefined> => schema.optional();

/** The named values of a generated enum; the error tells their names. */
function enumOf<T extends number>(names: Readonly<Record<number, string>>, ...values: T[]): z.ZodType<T> {
  return z.literal(values, `one of ${values.map((value) => names[value]).join(", ")}`);
}

/** Caller-chosen identity of a creating call. */
export const requestId: z.ZodType<string> = z
  .string()
  .regex(/^(?!\.{1,2}$)[A-Za-z0-9._-]{1,64}$/, "1 to 64 characters of [A-Za-z0-9._-]");

/** Identifier that a service has given to a run, an iteration, an evaluation. */
export const resourceId: z.ZodType<string> = z
  .string()
  .regex(/^(?!\.{1,2}$)[A-Za-z0-9._-]{1,128}$/, "1 to 128 characters of [A-Za-z0-9._-]");

/** The same, or nothing where that means all. */
export const resourceIdOrAll: z.ZodType<string> = emptyOr(resourceId);

/** What a list's answer gave, or nothing for the first page. */
export const pageToken: z.ZodType<string> = emptyOr(resourceId);

/** `sha256:` and 64 hexadecimal digits. */
export const digest: z.ZodType<string> = z.string().regex(/^sha256:[0-9a-f]{64}$/, "sha256: and 64 hexadecimal digits");

/** A path below a service's folder: segments of harmless characters, none that climbs. */
export const relativeName: z.ZodType<string> = z
  .string()
  .max(200)
  .regex(
    /^(?!\.{1,2}(?:\/|$))[A-Za-z0-9._-]+(?:\/(?!\.{1,2}(?:\/|$))[A-Za-z0-9._-]+)*$/,
    "path segments of [A-Za-z0-9._-], none of them . or ..",
  );

export const checkpointRef: z.ZodType<CheckpointRef> = z
  .object({ digest: emptyOr(digest), modelName: emptyOr(relativeName) })
  .refine((ref) => ref.digest !== "" || ref.modelName !== "", "a digest or a model_name");

export const datasetRef: z.ZodType<DatasetRef> = z.object({
  name: relativeName,
  digest: emptyOr(digest),
  split: emptyOr(relativeName),
});

/** Characters of a prompt. */
export const MAX_PROMPT_LENGTH = 10_000;

/** No text encoder has more layers; whether the model's has so many, the generator tells. */
const clipSkip = wholeNumber(0, 256);

/** Kinds that have an η, or may have: of the model's own scheduler the generator tells. */
const WITH_ETA = [SamplerKind.SAMPLER_KIND_UNSPECIFIED, SamplerKind.SAMPLER_KIND_DDIM];
const WITH_KARRAS = [
  SamplerKind.SAMPLER_KIND_UNSPECIFIED,
  SamplerKind.SAMPLER_KIND_EULER,
  SamplerKind.SAMPLER_KIND_DPM_SOLVER,
];

export const samplerSettings: z.ZodType<SamplerSettings> = z
  .object({
    kind: enumOf(
      SamplerKind,
      SamplerKind.SAMPLER_KIND_UNSPECIFIED,
      SamplerKind.SAMPLER_KIND_DDIM,
      SamplerKind.SAMPLER_KIND_PNDM,
      SamplerKind.SAMPLER_KIND_DDPM,
      SamplerKind.SAMPLER_KIND_EULER,
      SamplerKind.SAMPLER_KIND_DPM_SOLVER,
    ),
    numSteps: wholeNumber(1, 1000),
    eta: share,
    guidanceScale: z.number().min(1).max(100),
    negativePrompt: z.string().max(MAX_PROMPT_LENGTH).optional(),
    guidanceRescale: share,
    clipSkip,
    timestepSpacing: enumOf(
      TimestepSpacing,
      TimestepSpacing.TIMESTEP_SPACING_LEADING,
      TimestepSpacing.TIMESTEP_SPACING_TRAILING,
      TimestepSpacing.TIMESTEP_SPACING_LINSPACE,
    ).optional(),
    karrasSigmas: z.boolean().optional(),
    zeroSnr: z.boolean().optional(),
  })
  .refine(({ kind, eta }) => WITH_ETA.includes(kind) || eta === 0, {
    path: ["eta"],
    error: "0 for all but DDIM",
  })
  .refine(({ kind, karrasSigmas }) => !karrasSigmas || WITH_KARRAS.includes(kind), {
    path: ["karrasSigmas"],
    error: "false for all but Euler and DPM-Solver++",
  });

const imagePreparation: z.ZodType<ImagePreparation> = z.object({
  resolution: wholeNumber(0, 4096),
  crop: enumOf(CropKind, CropKind.CROP_KIND_CENTER, CropKind.CROP_KIND_RANDOM),
  flipProbability: share,
});

/** Captions are encoded once for both sides, as the settings around it say. */
const trainingSampler = samplerSettings.refine(({ clipSkip }) => clipSkip === 0, {
  path: ["clipSkip"],
  error: "0 here: the sampling settings' own clip_skip holds for both sides",
});

export const samplingSettings: z.ZodType<SamplingSettings> = z.object({
  sampler: maybe(trainingSampler),
  timestepChoice: enumOf(
    TimestepChoice,
    TimestepChoice.TIMESTEP_CHOICE_UNIFORM,
    TimestepChoice.TIMESTEP_CHOICE_STRATIFIED,
    TimestepChoice.TIMESTEP_CHOICE_ALL,
  ),
  drawsPerSample: wholeNumber(1, 1000),
  promptDropout: share,
  image: imagePreparation,
  dtype: enumOf(DataType, DataType.DATA_TYPE_FLOAT32, DataType.DATA_TYPE_FLOAT16),
  batchSize: wholeNumber(1, 256),
  threads: wholeNumber(0, 1024),
  clipSkip,
});

/** Settings that suit the form of the draws: a trainer knows the form from the objective, a spec names it. */
export function samplingSettingsFor(form: SampleForm): z.ZodType<SamplingSettings> {
  const trajectory = form === SampleForm.SAMPLE_FORM_TRAJECTORY;
  const synthetic = SYNTHETIC_FORMS.has(form);
  const allSteps = ({ timestepChoice }: SamplingSettings) => timestepChoice === TimestepChoice.TIMESTEP_CHOICE_ALL;
  return samplingSettings
    .refine(({ sampler }) => (sampler !== undefined) === synthetic, {
      path: ["sampler"],
      error: synthetic ? "a sampler for the synthetic side" : "no sampler where nothing is sampled",
    })
    .refine(({ sampler }) => !trajectory || sampler === undefined || sampler.kind === SamplerKind.SAMPLER_KIND_DDIM, {
      path: ["sampler", "kind"],
      error: "SAMPLER_KIND_DDIM for trajectories",
    })
    .refine(({ sampler }) => !trajectory || (sampler?.timestepSpacing ?? sampler?.zeroSnr) === undefined, {
      path: ["sampler"],
      error: "neither timestep_spacing nor zero_snr for trajectories: both sides walk the model's own steps",
    })
    .refine((settings) => trajectory || !allSteps(settings), {
      path: ["timestepChoice"],
      error: "TIMESTEP_CHOICE_ALL only for trajectories",
    })
    .refine((settings) => !allSteps(settings) || settings.drawsPerSample === settings.sampler?.numSteps, {
      path: ["drawsPerSample"],
      error: "as many draws as the sampler has steps for TIMESTEP_CHOICE_ALL",
    });
}

const digestedRef = checkpointRef.refine((ref) => ref.digest !== "", { path: ["digest"], error: "a digest" });

/** Forms whose synthetic side a model samples. */
const SYNTHETIC_FORMS: ReadonlySet<SampleForm> = new Set([
  SampleForm.SAMPLE_FORM_TRAJECTORY,
  SampleForm.SAMPLE_FORM_RENOISED,
]);

export const samplingSpec: z.ZodType<SamplingSpec> = z
  .object({
    checkpoint: digestedRef,
    dataset: datasetRef.refine((ref) => ref.digest !== "", { path: ["digest"], error: "a digest" }),
    seed: z.bigint(),
    iteration: wholeNumber(1, 1_000_000),
    form: enumOf(
      SampleForm,
      SampleForm.SAMPLE_FORM_TRAJECTORY,
      SampleForm.SAMPLE_FORM_RENOISED,
      SampleForm.SAMPLE_FORM_REAL_ONLY,
      SampleForm.SAMPLE_FORM_PAIR,
    ),
    settings: samplingSettings,
    computeFingerprint: emptyOr(digest),
    earlierCheckpoints: z.array(digestedRef).max(1000),
    earlierShare: share,
  })
  .refine(({ earlierCheckpoints, earlierShare }) => earlierCheckpoints.length > 0 === earlierShare > 0, {
    path: ["earlierShare"],
    error: "more than 0 where there are earlier_checkpoints, 0 where there are none",
  })
  .refine(({ form, earlierShare }) => earlierShare === 0 || SYNTHETIC_FORMS.has(form), {
    path: ["earlierShare"],
    error: "0 where nothing is sampled",
  })
  .superRefine(({ form, settings }, check) => {
    adoptIssues(check, samplingSettingsFor(form).safeParse(settings), "settings");
  });

/** As many draws per request as whole batches give. */
export const sampleTrajectoriesRequest: z.ZodType<SampleTrajectoriesRequest & { spec: SamplingSpec }> = z
  .object({
    spec: samplingSpec,
    firstIndex: wholeNumber(0, 2 ** 32 - 1),
    numSamples: wholeNumber(1, 2 ** 32 - 1),
    contentDigest: emptyOr(digest),
  })
  .refine(({ spec, firstIndex }) => firstIndex % spec.settings!.batchSize === 0, {
    path: ["firstIndex"],
    error: "a multiple of the spec's batch_size",
  })
  .refine(({ spec, numSamples }) => numSamples % spec.settings!.batchSize === 0, {
    path: ["numSamples"],
    error: "a multiple of the spec's batch_size",
  });

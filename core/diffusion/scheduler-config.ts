import * as z from "zod";
import { SpinError } from "../errors.js";
import { only, parseConfig } from "../json-config.js";
import type { DdimConfig } from "./ddim.js";
import type { DdpmConfig } from "./ddpm.js";
import type { DpmSolverConfig } from "./dpm-solver.js";
import type { EulerConfig } from "./euler.js";
import type { PndmConfig } from "./pndm.js";
import { SPACINGS, type TimestepSpacing } from "./timestep-spacing.js";

/** A diffusers scheduler's settings, with its class's defaults filled in. */
export type SchedulerConfig = ClassConfig & SchedulerOrigin;

/** Where a scheduler's settings come from. */
export interface SchedulerOrigin {
  /** The file's own entries: another class may read them in its own way, as diffusers' `from_config` has it. */
  readonly source: { readonly file: string; readonly settings: Readonly<Record<string, unknown>> };
  /**
   * The file is of a class that is not here. The settings are what DDIM reads in it: the noise schedule holds, and another class can sample in its
   * place, but who asks for the model's own is answered with this.
   */
  readonly refusal?: SpinError;
  /** Whether it is a StableDiffusionXLPipeline's, which enforces nothing (see `pipelineScheduler`). */
  readonly isXl?: boolean;
}

export type SchedulerClass = ClassConfig["className"];

type ClassConfig =
  | ({ readonly className: "DDIMScheduler" } & DdimConfig)
  | ({ readonly className: "PNDMScheduler" } & PndmConfig)
  | ({ readonly className: "DDPMScheduler" } & DdpmConfig)
  | ({ readonly className: "EulerDiscreteScheduler" } & EulerConfig)
  | ({ readonly className: "DPMSolverMultistepScheduler" } & DpmSolverConfig);

const positive = z.number().positive();
const flag = (fallback: boolean) => z.boolean().default(fallback);
const optionalFlag = z.boolean().nullish();

/** The forward process and the placing of steps, which all classes share. */
const common = {
  num_train_timesteps: z.int().positive().max(1_000_000).default(1000),
  beta_start: positive.default(0.0001),
  beta_end: positive.default(0.02),
  beta_schedule: only("linear", "scaled_linear", "squaredcos_cap_v2"),
  trained_betas: z.array(z.number()).nullish(),
  prediction_type: only("epsilon", "sample", "v_prediction"),
  steps_offset: z.int().default(0),
  rescale_betas_zero_snr: flag(false),
};
const spacing = (fallback: "leading" | "linspace") => z.enum(SPACINGS).default(fallback);
const clipping = { clip_sample: flag(true), clip_sample_range: positive.default(1), thresholding: flag(false) };
const sigmas = {
  use_karras_sigmas: optionalFlag,
  use_exponential_sigmas: optionalFlag,
  use_beta_sigmas: optionalFlag,
  final_sigmas_type: only("zero", "sigma_min"),
  sigma_min: positive.nullish(),
  sigma_max: positive.nullish(),
};

const schemas = {
  DDIMScheduler: z.looseObject({
    ...common,
    ...clipping,
    timestep_spacing: spacing("leading"),
    set_alpha_to_one: flag(true),
  }),
  PNDMScheduler: z.looseObject({
    ...common,
    timestep_spacing: spacing("leading"),
    set_alpha_to_one: flag(false),
    skip_prk_steps: flag(false),
  }),
  DDPMScheduler: z.looseObject({
    ...common,
    ...clipping,
    timestep_spacing: spacing("leading"),
    variance_type: z.string().default("fixed_small"),
  }),
  EulerDiscreteScheduler: z.looseObject({
    ...common,
    ...sigmas,
    timestep_spacing: spacing("linspace"),
    interpolation_type: only("linear", "log_linear"),
    timestep_type: only("discrete", "continuous"),
  }),
  DPMSolverMultistepScheduler: z.looseObject({
    ...common,
    ...sigmas,
    timestep_spacing: spacing("linspace"),
    use_lu_lambdas: optionalFlag,
    use_flow_sigmas: optionalFlag,
    algorithm_type: z.string().default("dpmsolver++"),
    solver_order: z.int().positive().default(2),
    solver_type: z.string().default("midpoint"),
    lower_order_final: flag(true),
    euler_at_final: flag(false),
    // diffusers writes -Infinity, which reading JSON turns into null.
    lambda_min_clipped: z.number().nullish(),
    thresholding: flag(false),
  }),
};

const classSchema = z.looseObject({ _class_name: z.string() });

type CommonFile = z.infer<z.ZodObject<typeof common>> & { timestep_spacing: TimestepSpacing };

function commonConfig(file: CommonFile) {
  return {
    numTrainTimesteps: file.num_train_timesteps,
    betaStart: file.beta_start,
    betaEnd: file.beta_end,
    betaSchedule: file.beta_schedule,
    trainedBetas: file.trained_betas ?? null,
    predictionType: file.prediction_type,
    stepsOffset: file.steps_offset,
    rescaleBetasZeroSnr: file.rescale_betas_zero_snr,
    timestepSpacing: file.timestep_spacing,
  };
}

function clippingConfig(file: z.infer<z.ZodObject<typeof clipping>>) {
  return {
    clipSample: file.clip_sample,
    clipSampleRange: file.clip_sample_range,
    thresholding: file.thresholding,
  };
}

function sigmasConfig(file: z.infer<z.ZodObject<typeof sigmas>>) {
  return {
    useKarrasSigmas: file.use_karras_sigmas,
    useExponentialSigmas: file.use_exponential_sigmas,
    useBetaSigmas: file.use_beta_sigmas,
    finalSigmasType: file.final_sigmas_type,
    sigmaMin: file.sigma_min,
    sigmaMax: file.sigma_max,
  };
}

/**
 * Reads a `scheduler_config.json`.
 * @param file path for error messages
 * @throws SpinError "invalid" naming the key and value of anything malformed or not supported
 */
export function parseSchedulerConfig(json: unknown, file: string): SchedulerConfig {
  const settings = parseConfig(z.looseObject({}), json, file);
  return { ...parseClassConfig(settings, file), source: { file, settings } };
}

/** Keys of the noise schedule: a class that has none of them (flow matching) is of another kind. */
const NOISE_KEYS = ["beta_schedule", "beta_start", "trained_betas"];

/**
 * As {@link parseSchedulerConfig}, but a class that is not here is no reason to give up where its file tells a noise schedule: the settings are
 * DDIM's reading of it then, with the error as `refusal`.
 */
export function parseReplaceableScheduler(json: unknown, file: string): SchedulerConfig {
  try {
    return parseSchedulerConfig(json, file);
  } catch (error) {
    const settings = parseConfig(z.looseObject({}), json, file);
    const isOfOtherClass = error instanceof SpinError && error.details.field === "_class_name";
    if (!isOfOtherClass || !NOISE_KEYS.some((key) => key in settings)) throw error;
    return { ...parseSchedulerConfig({ ...settings, _class_name: "DDIMScheduler" }, file), refusal: error };
  }
}

function parseClassConfig(json: object, file: string): ClassConfig {
  const className = parseConfig(classSchema, json, file)._class_name as keyof typeof schemas;
  if (!Object.hasOwn(schemas, className)) {
    const known = Object.keys(schemas).join(", ");
    throw new SpinError("invalid", `${file}: _class_name is "${className}", supported: ${known}`, {
      file,
      field: "_class_name",
      remedy: "have another sampler take its place, or correct the file",
    });
  }
  switch (className) {
    case "DDIMScheduler": {
      const parsed = parseConfig(schemas.DDIMScheduler, json, file);
      return {
        className,
        ...commonConfig(parsed),
        ...clippingConfig(parsed),
        setAlphaToOne: parsed.set_alpha_to_one,
      };
    }
    case "PNDMScheduler": {
      const parsed = parseConfig(schemas.PNDMScheduler, json, file);
      return {
        className,
        ...commonConfig(parsed),
        // PNDMScheduler does not know this setting, and so it counts for nothing in a file that another class wrote.
        rescaleBetasZeroSnr: false,
        setAlphaToOne: parsed.set_alpha_to_one,
        skipPrkSteps: parsed.skip_prk_steps,
      };
    }
    case "DDPMScheduler": {
      const parsed = parseConfig(schemas.DDPMScheduler, json, file);
      return {
        className,
        ...commonConfig(parsed),
        ...clippingConfig(parsed),
        varianceType: parsed.variance_type,
      };
    }
    case "EulerDiscreteScheduler": {
      const parsed = parseConfig(schemas.EulerDiscreteScheduler, json, file);
      return {
        className,
        ...commonConfig(parsed),
        ...sigmasConfig(parsed),
        interpolationType: parsed.interpolation_type,
        timestepType: parsed.timestep_type,
      };
    }
    case "DPMSolverMultistepScheduler": {
      const parsed = parseConfig(schemas.DPMSolverMultistepScheduler, json, file);
      return {
        className,
        ...commonConfig(parsed),
        ...sigmasConfig(parsed),
        useLuLambdas: parsed.use_lu_lambdas,
        useFlowSigmas: parsed.use_flow_sigmas,
        // What other solvers' files say means these here, as in diffusers.
        algorithmType: parsed.algorithm_type === "deis" ? "dpmsolver++" : parsed.algorithm_type,
        solverOrder: parsed.solver_order,
        solverType: ["logrho", "bh1", "bh2"].includes(parsed.solver_type) ? "midpoint" : parsed.solver_type,
        lowerOrderFinal: parsed.lower_order_final,
        eulerAtFinal: parsed.euler_at_final,
        lambdaMinClipped: parsed.lambda_min_clipped ?? Number.NEGATIVE_INFINITY,
        thresholding: parsed.thresholding,
      };
    }
  }
}

import type { SamplerChoice } from "../core/diffusion/pipeline-sampler.js";
import { SpinError } from "../core/errors.js";
import {
  SampleForm,
  SamplerKind,
  type SamplerSettings,
  type SamplingSpec,
  TimestepChoice,
  TimestepSpacing,
} from "../proto/gen/spin/v1/sampling.js";
import type { DrawForm, DrawJob } from "./draws.js";
import type { TimestepRule } from "./timestep-choice.js";

const FORMS: Partial<Record<SampleForm, DrawForm>> = {
  [SampleForm.SAMPLE_FORM_TRAJECTORY]: "trajectory",
  [SampleForm.SAMPLE_FORM_RENOISED]: "renoised",
  [SampleForm.SAMPLE_FORM_REAL_ONLY]: "realOnly",
  [SampleForm.SAMPLE_FORM_PAIR]: "pair",
};

const RULES: Partial<Record<TimestepChoice, TimestepRule>> = {
  [TimestepChoice.TIMESTEP_CHOICE_UNIFORM]: "uniform",
  [TimestepChoice.TIMESTEP_CHOICE_STRATIFIED]: "stratified",
  [TimestepChoice.TIMESTEP_CHOICE_ALL]: "all",
};

const KINDS: Record<SamplerKind, SamplerChoice["kind"]> = {
  [SamplerKind.SAMPLER_KIND_UNSPECIFIED]: undefined,
  [SamplerKind.SAMPLER_KIND_DDIM]: "ddim",
  [SamplerKind.SAMPLER_KIND_PNDM]: "pndm",
  [SamplerKind.SAMPLER_KIND_DDPM]: "ddpm",
  [SamplerKind.SAMPLER_KIND_EULER]: "euler",
  [SamplerKind.SAMPLER_KIND_DPM_SOLVER]: "dpm",
};

const SPACINGS: Partial<Record<TimestepSpacing, SamplerChoice["spacing"]>> = {
  [TimestepSpacing.TIMESTEP_SPACING_LEADING]: "leading",
  [TimestepSpacing.TIMESTEP_SPACING_TRAILING]: "trailing",
  [TimestepSpacing.TIMESTEP_SPACING_LINSPACE]: "linspace",
};

/** The batch of a checked spec that begins with sample `firstIndex`, in the terms of the sampling code. */
export function drawJob(spec: SamplingSpec, firstIndex: number): DrawJob {
  const { settings } = spec;
  const [form, timestepRule] = [FORMS[spec.form], settings && RULES[settings.timestepChoice]];
  if (settings === undefined || form === undefined || timestepRule === undefined) {
    throw new SpinError("internal", "a sampling spec came unchecked");
  }
  return {
    form,
    seed: spec.seed,
    iteration: spec.iteration,
    firstIndex,
    drawsPerSample: settings.drawsPerSample,
    timestepRule,
    sampler: settings.sampler && {
      ...samplerChoice(settings.sampler),
      guidanceScale: settings.sampler.guidanceScale,
      guidanceRescale: settings.sampler.guidanceRescale,
    },
  };
}

/** A checked request's sampler; unspecified kinds stand for the model's own. */
export function samplerChoice(settings: SamplerSettings): SamplerChoice {
  const { kind, numSteps, eta, timestepSpacing, karrasSigmas, zeroSnr } = settings;
  return {
    kind: KINDS[kind],
    numSteps,
    eta,
    spacing: timestepSpacing === undefined ? undefined : SPACINGS[timestepSpacing],
    karrasSigmas,
    zeroSnr,
  };
}

import type { SamplerName } from "../core/diffusion/pipeline-sampler.js";
import type { TimestepSpacing as SpacingName } from "../core/diffusion/timestep-spacing.js";
import { SamplerKind, TimestepSpacing } from "../proto/gen/spin/v1/sampling.js";

const KINDS: Readonly<Record<SamplerName, SamplerKind>> = {
  ddim: SamplerKind.SAMPLER_KIND_DDIM,
  pndm: SamplerKind.SAMPLER_KIND_PNDM,
  ddpm: SamplerKind.SAMPLER_KIND_DDPM,
  euler: SamplerKind.SAMPLER_KIND_EULER,
  dpm: SamplerKind.SAMPLER_KIND_DPM_SOLVER,
};

const SPACINGS: Readonly<Record<SpacingName, TimestepSpacing>> = {
  leading: TimestepSpacing.TIMESTEP_SPACING_LEADING,
  trailing: TimestepSpacing.TIMESTEP_SPACING_TRAILING,
  linspace: TimestepSpacing.TIMESTEP_SPACING_LINSPACE,
};

/** The contract's form of a sampler's name; none: the model's own. */
export function samplerKind(name: SamplerName | undefined): SamplerKind {
  return name === undefined ? SamplerKind.SAMPLER_KIND_UNSPECIFIED : KINDS[name];
}

/** The contract's form of a spacing; none: as the model's scheduler file says. */
export function timestepSpacing(name: SpacingName | undefined): TimestepSpacing | undefined {
  return name && SPACINGS[name];
}

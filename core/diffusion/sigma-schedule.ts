import { SpinError } from "../errors.js";

/** Exponent of the schedule of Karras et al. 2022. */
const KARRAS_RHO = 7;

/** Where a sampler over σ ends: at an image without noise, or at the level of timestep 0. */
export type FinalSigmas = "zero" | "sigma_min";

/** Which σ the steps stand at. */
export interface SigmaScheduleConfig extends UnsupportedSigmaSchedules {
  readonly useKarrasSigmas?: boolean | null;
  /** Ends of Karras's schedule, in place of the training schedule's. */
  readonly sigmaMin?: number | null;
  readonly sigmaMax?: number | null;
}

/** Schedules of σ that are read from configurations but not supported. */
export interface UnsupportedSigmaSchedules {
  readonly useExponentialSigmas?: boolean | null;
  readonly useBetaSigmas?: boolean | null;
  readonly useLuLambdas?: boolean | null;
  readonly useFlowSigmas?: boolean | null;
}

/** @throws SpinError `invalid` when a σ schedule other than the training one or Karras's is asked for. */
export function refuseOtherSigmaSchedules(config: UnsupportedSigmaSchedules): void {
  const asked = Object.entries({
    use_exponential_sigmas: config.useExponentialSigmas,
    use_beta_sigmas: config.useBetaSigmas,
    use_lu_lambdas: config.useLuLambdas,
    use_flow_sigmas: config.useFlowSigmas,
  }).find(([, on]) => on);
  if (asked) {
    throw new SpinError("invalid", `the scheduler asks for ${asked[0]}, which is not supported`, {
      field: asked[0],
      remedy: "set it to false, or use_karras_sigmas to true",
    });
  }
}

/**
 * σ_i = (σ_max^{1/ρ} + i/(n−1) (σ_min^{1/ρ} − σ_max^{1/ρ}))^ρ, ρ = 7: equation 5 of Karras et al. 2022 (arXiv
 * 2206.00364).
 *
 * @param config may name other ends than the two given
 */
export function karrasSigmas(
  largest: number,
  smallest: number,
  numSteps: number,
  config: Pick<SigmaScheduleConfig, "sigmaMin" | "sigmaMax"> = {},
): number[] {
  const max = (config.sigmaMax ?? largest) ** (1 / KARRAS_RHO);
  const min = (config.sigmaMin ?? smallest) ** (1 / KARRAS_RHO);
  const span = Math.max(1, numSteps - 1);
  return Array.from({ length: numSteps }, (_, i) => (max + (i / span) * (min - max)) ** KARRAS_RHO);
}

/** σ at a timestep between two training timesteps, linearly; the nearest one's outside the schedule. */
export function sigmaAt(sigmas: Float32Array, timestep: number): number {
  const t = Math.min(sigmas.length - 1, Math.max(0, timestep));
  const low = Math.floor(t);
  const high = Math.min(sigmas.length - 1, low + 1);
  return sigmas[low]! + (t - low) * (sigmas[high]! - sigmas[low]!);
}

/**
 * The timestep, between two training timesteps, whose log σ is that of the given σ. `sigmas` grows with the timestep.
 */
export function timestepAt(sigmas: Float32Array, sigma: number): number {
  const logSigma = Math.log(Math.max(sigma, 1e-10));
  const above = sigmas.findIndex((s) => Math.log(s) > logSigma);
  const low = Math.min(sigmas.length - 2, Math.max(0, (above < 0 ? sigmas.length : above) - 1));
  const lowLog = Math.log(sigmas[low]!);
  const highLog = Math.log(sigmas[low + 1]!);
  return low + Math.min(1, Math.max(0, (lowLog - logSigma) / (lowLog - highLog)));
}

import { SpinError } from "../errors.js";
import { alphasCumprod, type NoiseScheduleConfig } from "./noise-schedule.js";
import { originalForm, type PredictionType, refusePureNoise } from "./prediction.js";
import { refuseThresholding, requireNoise, type Sampler } from "./sampler.js";
import { samplingTimesteps, type TimestepConfig } from "./timestep-spacing.js";

/** Settings of diffusers' DDPMScheduler that bear on sampling. */
export interface DdpmConfig extends NoiseScheduleConfig, TimestepConfig {
  readonly predictionType: PredictionType;
  /** Variance of a step: `fixed_small` is the posterior's β̃_t, `fixed_large` is β_t; others are refused. */
  readonly varianceType?: string;
  readonly clipSample: boolean;
  readonly clipSampleRange: number;
  readonly thresholding?: boolean;
}

/** Floor of a step's variance, as in diffusers. */
const MIN_VARIANCE = 1e-20;

/**
 * DDPM (Ho et al. 2020, arXiv 2006.11239) on a subset of the training timesteps. Every step but one at timestep 0 adds
 * noise.
 *
 * @throws SpinError `invalid` for step counts and settings that do not go together.
 */
export function createDdpm(config: DdpmConfig, numSteps: number): Sampler {
  refuseThresholding(config.thresholding);
  const varianceType = config.varianceType ?? "fixed_small";
  if (varianceType !== "fixed_small" && varianceType !== "fixed_large") {
    throw new SpinError("invalid", `variance_type is ${varianceType}, expected fixed_small or fixed_large`, {
      field: "variance_type",
      remedy: "learned variances are not supported; set fixed_small",
    });
  }
  const timesteps = samplingTimesteps(config, numSteps);
  const alphaBars = alphasCumprod(config);
  refusePureNoise(alphaBars, timesteps, config.predictionType);
  const clip = config.clipSample ? config.clipSampleRange : Number.POSITIVE_INFINITY;

  return {
    timesteps,
    initNoiseSigma: 1,
    scaleModelInput: (sample) => sample,
    needsNoise: (i) => timesteps[i]! > 0,
    // Equations 6 and 7: x_{t−1} = μ̃_t(x_t, x_0) + √variance z, where α_t = ᾱ_t/ᾱ_{t−1} and β_t = 1 − α_t.
    step(modelOutput, i, sample, noise) {
      const abar = alphaBars[timesteps[i]!]!;
      const abarPrev = i + 1 < timesteps.length ? alphaBars[timesteps[i + 1]!]! : 1;
      const alpha = abar / abarPrev;
      const beta = 1 - alpha;
      const original = originalForm(config.predictionType, abar);
      const originalWeight = (Math.sqrt(abarPrev) * beta) / (1 - abar);
      const sampleWeight = (Math.sqrt(alpha) * (1 - abarPrev)) / (1 - abar);
      const posterior = Math.max(MIN_VARIANCE, ((1 - abarPrev) / (1 - abar)) * beta);
      const deviation = Math.sqrt(varianceType === "fixed_large" ? beta : posterior);
      const z = timesteps[i]! > 0 ? requireNoise(noise, i) : undefined;
      return sample.map((x, k) => {
        const x0 = Math.min(clip, Math.max(-clip, original.sample * x + original.output * modelOutput[k]!));
        const mean = originalWeight * x0 + sampleWeight * x;
        return z ? mean + deviation * z[k]! : mean;
      });
    },
  };
}

import { SpinError } from "../errors.js";
import { alphasCumprod, type NoiseScheduleConfig } from "./noise-schedule.js";
import { noiseForm, originalForm, type PredictionType, refusePureNoise } from "./prediction.js";
import { refuseThresholding, requireNoise, type Sampler } from "./sampler.js";
import { samplingTimesteps, type TimestepConfig } from "./timestep-spacing.js";

/** Settings of diffusers' DDIMScheduler that bear on sampling. */
export interface DdimConfig extends NoiseScheduleConfig, TimestepConfig {
  readonly predictionType: PredictionType;
  /** Whether the last step ends at ᾱ = 1; otherwise at ᾱ_0. */
  readonly setAlphaToOne: boolean;
  /** Whether the predicted x_0 is cut to ±clipSampleRange. */
  readonly clipSample: boolean;
  readonly clipSampleRange: number;
  readonly thresholding?: boolean;
}

/** σ_t = η √((1−ᾱ_{t−1})/(1−ᾱ_t)) √(1−ᾱ_t/ᾱ_{t−1}), equation 16 of Song et al. 2021. */
export function ddimSigma(abar: number, abarPrev: number, eta: number): number {
  return eta * Math.sqrt((1 - abarPrev) / (1 - abar)) * Math.sqrt(1 - abar / abarPrev);
}

/**
 * DDIM (Song et al. 2021, arXiv 2010.02502): deterministic at η = 0, as noisy as DDPM at η = 1.
 *
 * @param eta in [0, 1]; above 0 every step adds noise
 * @throws SpinError `invalid` for step counts and settings that do not go together.
 */
export function createDdim(config: DdimConfig, numSteps: number, { eta = 0 }: { eta?: number } = {}): Sampler {
  refuseThresholding(config.thresholding);
  if (!(eta >= 0 && eta <= 1)) throw new SpinError("invalid", `eta is ${eta}, expected 0 to 1`, { field: "eta" });
  const timesteps = samplingTimesteps(config, numSteps);
  const alphaBars = alphasCumprod(config);
  refusePureNoise(alphaBars, timesteps, config.predictionType);
  const finalAbar = config.setAlphaToOne ? 1 : alphaBars[0]!;
  const stride = Math.floor(config.numTrainTimesteps / numSteps);
  const clip = config.clipSample ? config.clipSampleRange : Number.POSITIVE_INFINITY;

  return {
    timesteps,
    initNoiseSigma: 1,
    scaleModelInput: (sample) => sample,
    needsNoise: () => eta > 0,
    // Equation 12: x_{t−1} = √ᾱ_{t−1} x_0 + √(1−ᾱ_{t−1}−σ_t²) ε + σ_t z.
    step(modelOutput, i, sample, noise) {
      const t = timesteps[i]!;
      const abar = alphaBars[t]!;
      // Below timestep 0 there is no entry.
      const abarPrev = alphaBars[t - stride] ?? finalAbar;
      const original = originalForm(config.predictionType, abar);
      const epsilon = noiseForm(config.predictionType, abar);
      const sigma = ddimSigma(abar, abarPrev, eta);
      const signal = Math.sqrt(abarPrev);
      const direction = Math.sqrt(Math.max(0, 1 - abarPrev - sigma * sigma));
      const z = eta > 0 ? requireNoise(noise, i) : undefined;
      return sample.map((x, k) => {
        const output = modelOutput[k]!;
        const x0 = Math.min(clip, Math.max(-clip, original.sample * x + original.output * output));
        const mean = signal * x0 + direction * (epsilon.sample * x + epsilon.output * output);
        return z ? mean + sigma * z[k]! : mean;
      });
    },
  };
}

import { alphasCumprod, type NoiseScheduleConfig, trainingSigmas } from "./noise-schedule.js";
import type { PredictionType } from "./prediction.js";
import type { Sampler } from "./sampler.js";
import {
  type FinalSigmas,
  karrasSigmas,
  refuseOtherSigmaSchedules,
  type SigmaScheduleConfig,
  sigmaAt,
  timestepAt,
} from "./sigma-schedule.js";
import { fractionalTimesteps, type TimestepConfig } from "./timestep-spacing.js";

/** Settings of diffusers' EulerDiscreteScheduler that bear on sampling. */
export interface EulerConfig extends NoiseScheduleConfig, TimestepConfig, SigmaScheduleConfig {
  readonly predictionType: PredictionType;
  readonly finalSigmasType?: FinalSigmas;
  /** How the steps' σ are found: at their timesteps, or evenly spaced in log σ, from the largest to the smallest; by default linear. */
  readonly interpolationType?: "linear" | "log_linear";
  /** What a model that predicts v is told of a step: its timestep, or ¼ log σ; by default discrete. */
  readonly timestepType?: "discrete" | "continuous";
}

/**
 * Euler's method (algorithm 2 of Karras et al. 2022, arXiv 2206.00364, without churn) on samples x_0 + σ ε.
 *
 * @throws SpinError `invalid` for step counts and settings that do not go together.
 */
export function createEuler(config: EulerConfig, numSteps: number): Sampler {
  refuseOtherSigmaSchedules(config);
  const training = trainingSigmas(alphasCumprod(config));
  const spaced = fractionalTimesteps(config, numSteps).map(Math.fround);
  const isLogLinear = config.interpolationType === "log_linear";
  const levels = isLogLinear ? logLinearSigmas(training, numSteps) : spaced.map((t) => sigmaAt(training, t));
  const steps = config.useKarrasSigmas ? karrasSigmas(levels[0]!, levels.at(-1)!, numSteps, config) : levels;
  const all = Float32Array.from([...steps, config.finalSigmasType === "sigma_min" ? training[0]! : 0]);
  const isContinuous = config.timestepType === "continuous" && config.predictionType === "v_prediction";
  // Log-linear spacing has one level more: where the last step ends, or the model is evaluated once more, as in diffusers.
  const sigmas = isContinuous ? all : all.subarray(0, numSteps + 1);
  const largest = Math.max(...sigmas);
  const discrete = config.useKarrasSigmas ? steps.map((sigma) => Math.fround(timestepAt(training, sigma))) : spaced;
  const continuous = () => Array.from(all.subarray(0, -1), (sigma) => Math.fround(0.25 * Math.log(sigma)));
  const timesteps = isContinuous ? continuous() : discrete;

  return {
    timesteps,
    sigmas,
    initNoiseSigma: config.timestepSpacing === "leading" ? Math.sqrt(largest * largest + 1) : largest,
    scaleModelInput(sample, i) {
      const scale = 1 / Math.sqrt(sigmas[i]! ** 2 + 1);
      return sample.map((x) => x * scale);
    },
    needsNoise: () => false,
    // x_{i+1} = x_i + (σ_{i+1} − σ_i) (x_i − x_0)/σ_i
    step(modelOutput, i, sample) {
      const sigma = sigmas[i]!;
      const original = scaledOriginalForm(config.predictionType, sigma);
      const stretch = (sigmas[i + 1]! - sigma) / sigma;
      return sample.map((x, k) => x + stretch * (x - (original.sample * x + original.output * modelOutput[k]!)));
    },
  };
}

/** n + 1 levels evenly spaced in log σ, as EulerDiscreteScheduler's `log_linear`. */
function logLinearSigmas(training: Float32Array, numSteps: number): number[] {
  const [from, to] = [Math.log(training.at(-1)!), Math.log(training[0]!)];
  return Array.from({ length: numSteps + 1 }, (_, i) => Math.exp(from + (i / numSteps) * (to - from)));
}

/** The clean sample as a linear form of x = x_0 + σ ε and the model's output. */
function scaledOriginalForm(type: PredictionType, sigma: number): { sample: number; output: number } {
  switch (type) {
    case "epsilon":
      return { sample: 1, output: -sigma };
    case "sample":
      return { sample: 0, output: 1 };
    case "v_prediction":
      return { sample: 1 / (sigma ** 2 + 1), output: -sigma / Math.sqrt(sigma ** 2 + 1) };
  }
}

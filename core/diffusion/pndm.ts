import { SpinError } from "../errors.js";
import { alphasCumprod, type NoiseScheduleConfig } from "./noise-schedule.js";
import type { PredictionType } from "./prediction.js";
import type { Sampler } from "./sampler.js";
import { samplingTimesteps, type TimestepConfig } from "./timestep-spacing.js";

/** Settings of diffusers' PNDMScheduler that bear on sampling. */
export interface PndmConfig extends NoiseScheduleConfig, TimestepConfig {
  readonly predictionType: PredictionType;
  /** Whether the last step ends at ᾱ = 1; otherwise at ᾱ_0. */
  readonly setAlphaToOne: boolean;
  /** Whether it starts without Runge–Kutta steps (PRK), as Stable Diffusion does. */
  readonly skipPrkSteps: boolean;
}

/**
 * Weights of the present and past outputs, newest first: Adams–Bashforth, equation 12 of Liu et al. 2022 and its
 * starts.
 */
const MULTISTEP_WEIGHTS: readonly (readonly number[])[] = [
  [1],
  [3 / 2, -1 / 2],
  [23 / 12, -16 / 12, 5 / 12],
  [55 / 24, -59 / 24, 37 / 24, -9 / 24],
];

/** Runge–Kutta steps at the start, where they are not skipped; each evaluates the model four times. */
const PRK_STEPS = 3;
/** Weights of a Runge–Kutta step's four outputs, equation 13 of Liu et al. 2022. */
const PRK_WEIGHTS = [1 / 6, 1 / 3, 1 / 3, 1 / 6] as const;

/**
 * PNDM (Liu et al. 2022, arXiv 2202.09778) as diffusers runs it: a linear multistep method (PLMS) whose first outputs come from three
 * Runge–Kutta steps, or for Stable Diffusion from plain ones. In the latter form the second timestep is evaluated twice: the first step is
 * taken again with the mean of the outputs at both its ends. Steps must be taken in order; i = 0 starts afresh.
 *
 * @throws SpinError `invalid` for settings outside this form.
 */
export function createPndm(config: PndmConfig, numSteps: number): Sampler {
  if (config.predictionType === "sample") {
    throw new SpinError("invalid", "PNDM needs a model that predicts epsilon or v, not the sample", {
      field: "prediction_type",
      remedy: "use DDIM",
    });
  }
  const distinct = samplingTimesteps(config, numSteps);
  const stride = Math.floor(config.numTrainTimesteps / numSteps);
  const half = Math.floor(stride / 2);
  const start = config.skipPrkSteps ? [] : prkTimesteps(distinct, half);
  const doubled = distinct.length > 1 ? [...distinct.slice(0, 2), ...distinct.slice(1)] : distinct;
  const timesteps = config.skipPrkSteps ? doubled : [...start, ...distinct.slice(PRK_STEPS)];
  const alphaBars = alphasCumprod(config);
  const finalAbar = config.setAlphaToOne ? 1 : alphaBars[0]!;
  const abarAt = (t: number) => alphaBars[t] ?? finalAbar;
  // Outputs at the last distinct timesteps, newest first.
  let outputs: Float32Array[] = [];
  let firstSample: Float32Array = new Float32Array();
  let blended: Float32Array = new Float32Array();
  let nextStep = 0;

  /** A quarter of a Runge–Kutta step: from the sample that the step began at, to half of its way or to its end. */
  const stepPrk = (modelOutput: Float32Array, i: number, sample: Float32Array): Float32Array => {
    const quarter = i % 4;
    if (quarter === 0) {
      outputs = [modelOutput, ...outputs];
      firstSample = sample;
      blended = new Float32Array(sample.length);
    }
    const weight = PRK_WEIGHTS[quarter]!;
    blended = blended.map((sum, k) => sum + weight * modelOutput[k]!);
    const output = quarter === 3 ? blended : modelOutput;
    const to = timesteps[i]! - (i % 2 === 0 ? half : 0);
    return transfer(firstSample, output, abarAt(timesteps[i - quarter]!), abarAt(to), config.predictionType);
  };

  return {
    timesteps,
    initNoiseSigma: 1,
    scaleModelInput: (sample) => sample,
    needsNoise: () => false,
    step(modelOutput, i, sample) {
      if (i === 0) outputs = [];
      else if (i !== nextStep) throw new SpinError("internal", `PNDM step ${i} taken where ${nextStep} was due`);
      nextStep = i + 1;
      if (i < start.length) return stepPrk(modelOutput, i, sample);
      const t = timesteps[i]!;
      if (i === 0) firstSample = sample;
      if (i === 1) {
        const mean = modelOutput.map((output, k) => (output + outputs[0]![k]!) / 2);
        return transfer(firstSample, mean, abarAt(t + stride), abarAt(t), config.predictionType);
      }
      outputs = [modelOutput, ...outputs.slice(0, 3)];
      const weights = MULTISTEP_WEIGHTS[outputs.length - 1]!;
      const blend = modelOutput.map((_, k) => weights.reduce((sum, w, past) => sum + w * outputs[past]![k]!, 0));
      return transfer(sample, blend, abarAt(t), abarAt(t - stride), config.predictionType);
    },
  };
}

/** Where three Runge–Kutta steps evaluate the model: each at its start, twice in its middle, and at its end. */
function prkTimesteps(distinct: readonly number[], half: number): number[] {
  if (distinct.length <= PRK_STEPS) {
    throw new SpinError("invalid", `PNDM with Runge–Kutta steps takes 4 steps or more, not ${distinct.length}`, {
      field: "num_steps",
      remedy: "ask for more steps, or set skip_prk_steps to true, as Stable Diffusion does",
    });
  }
  return Array.from({ length: PRK_STEPS }, (_, step) => {
    const [from, to] = [distinct[step]!, distinct[step + 1]!];
    return [from, to + half, to + half, to];
  }).flat();
}

/** The transfer from noise level ᾱ_t to ᾱ_{t−δ}, equation 11 of Liu et al. 2022. */
function transfer(
  sample: Float32Array,
  modelOutput: Float32Array,
  abar: number,
  abarPrev: number,
  type: PredictionType,
): Float32Array {
  const sampleWeight = Math.sqrt(abarPrev / abar);
  const denominator = abar * Math.sqrt(1 - abarPrev) + Math.sqrt(abar * (1 - abar) * abarPrev);
  const outputWeight = -(abarPrev - abar) / denominator;
  const signal = type === "v_prediction" ? Math.sqrt(abar) : 1;
  const noise = type === "v_prediction" ? Math.sqrt(1 - abar) : 0;
  return sample.map((x, k) => sampleWeight * x + outputWeight * (signal * modelOutput[k]! + noise * x));
}

import { SpinError } from "../errors.js";

/** What the model's output stands for: the noise ε, the clean sample x_0, or the velocity v = √ᾱ ε − √(1−ᾱ) x_0. */
export type PredictionType = "epsilon" | "sample" | "v_prediction";

/** Coefficients of value = sample · x_t + output · modelOutput. */
export interface LinearForm {
  readonly sample: number;
  readonly output: number;
}

/**
 * The clean sample as a linear form of x_t and the model's output, from x_t = √ᾱ x_0 + √(1−ᾱ) ε
 * (equation 12 of Song et al. 2021 for ε; appendix D of Salimans & Ho 2022 for v).
 */
export function originalForm(type: PredictionType, abar: number): LinearForm {
  const signal = Math.sqrt(abar);
  const noise = Math.sqrt(1 - abar);
  switch (type) {
    case "epsilon":
      return { sample: 1 / signal, output: -noise / signal };
    case "sample":
      return { sample: 0, output: 1 };
    case "v_prediction":
      return { sample: signal, output: -noise };
  }
}

/** The noise ε as a linear form of x_t and the model's output. */
export function noiseForm(type: PredictionType, abar: number): LinearForm {
  const signal = Math.sqrt(abar);
  const noise = Math.sqrt(1 - abar);
  switch (type) {
    case "epsilon":
      return { sample: 0, output: 1 };
    case "sample":
      return { sample: 1 / noise, output: -signal / noise };
    case "v_prediction":
      return { sample: noise, output: signal };
  }
}

/**
 * At ᾱ = 0 a sample is pure noise: knowing the noise in it says nothing about the image.
 *
 * @throws SpinError `invalid` when a model that predicts ε would be evaluated there.
 */
export function refusePureNoise(alphaBars: Float32Array, timesteps: readonly number[], type: PredictionType): void {
  const pure = timesteps.find((t) => alphaBars[t] === 0);
  if (pure !== undefined && type === "epsilon") {
    throw new SpinError("invalid", `a model that predicts noise cannot be evaluated on pure noise (timestep ${pure})`, {
      field: "rescale_betas_zero_snr",
      remedy: "use v_prediction with rescale_betas_zero_snr, or do not rescale",
    });
  }
}

import { SpinError } from "../errors.js";
import { ddimSigma } from "./ddim.js";
import { addNoise, velocity } from "./forward-process.js";
import { noiseForm, originalForm, type PredictionType } from "./prediction.js";

/**
 * The trajectories that the objective tells apart, and the draws the trainer learns from (SPIN-Diffusion, arXiv
 * 2402.10210). T sampling steps run from the noisiest, t = T, to t = 1; t − 1 is the next less noisy step and t = 0 the
 * image. Every function works on values of one shape in one row, one sample or a batch that stands at the same step.
 */

/** One sampling step and its coefficients, in double precision. */
export interface TrajectoryStep {
  /** Training timestep at which the model is evaluated. */
  readonly timestep: number;
  /** Training timestep of x_{t−1}; −1 for the image. */
  readonly timestepPrev: number;
  /** ᾱ_t */
  readonly abar: number;
  /** ᾱ_{t−1}; of the image, alphasCumprod[0], so that the last σ is not 0. */
  readonly abarPrev: number;
  /** σ_t, standard deviation of the noise the step adds. */
  readonly sigma: number;
  /** κ_t with x_{t−1} − μ_θ(x_t) = κ_t (ε* − ε_θ); negative. */
  readonly kappa: number;
  /** The same factor in v space: x_{t−1} − μ_θ(x_t) = √ᾱ_t κ_t (v* − v_θ); finite even at ᾱ_t = 0. */
  readonly kappaV: number;
}

/** What models on trajectories may predict: the objectives take errors in ε space or in v space. */
export type TargetType = Exclude<PredictionType, "sample">;

/**
 * The sampling steps with their coefficients, noisiest first:
 * σ_t = η √((1−ᾱ_{t−1})/(1−ᾱ_t)) √(1−ᾱ_t/ᾱ_{t−1}), κ_t = √(1−ᾱ_{t−1}−σ_t²) − √(ᾱ_{t−1}(1−ᾱ_t)/ᾱ_t).
 *
 * @param timesteps training timesteps, strictly falling, as `samplingTimesteps` gives them
 * @param eta share of DDPM's noise, in [0, 1]
 * @throws SpinError `invalid` when a step does not lower the noise, as one at timestep 0.
 */
export function trajectorySteps(
  alphasCumprod: ArrayLike<number>,
  timesteps: readonly number[],
  eta: number,
): TrajectoryStep[] {
  return timesteps.map((timestep, i) => {
    const timestepPrev = timesteps[i + 1] ?? -1;
    const abar = alphasCumprod[timestep]!;
    const abarPrev = alphasCumprod[Math.max(0, timestepPrev)]!;
    if (!(abarPrev > abar)) {
      throw new SpinError("invalid", `the sampling step at timestep ${timestep} does not lower the noise`, {
        field: "steps_offset",
        remedy: "set steps_offset to 1 (or timestep_spacing to trailing), so that no step stands on timestep 0",
      });
    }
    const sigma = ddimSigma(abar, abarPrev, eta);
    const direction = Math.sqrt(Math.max(0, 1 - abarPrev - sigma * sigma));
    const kappa = direction - Math.sqrt((abarPrev * (1 - abar)) / abar);
    const kappaV = Math.sqrt(abar) * direction - Math.sqrt(abarPrev * (1 - abar));
    return { timestep, timestepPrev, abar, abarPrev, sigma, kappa, kappaV };
  });
}

/** The factor between μ space and the space of the model's output: x_{t−1} − μ_θ(x_t) = factor · (target − output). */
export function errorFactor(step: TrajectoryStep, type: TargetType): number {
  return type === "epsilon" ? step.kappa : step.kappaV;
}

/**
 * A state of the real trajectory: x_t = √ᾱ_t x_0 + √(1−ᾱ_t) noise. It is how the trajectory starts (t = T), and as the
 * steps leave the marginals alone it also gives any single x_t without walking there.
 */
export function realState(x0: Float32Array, noise: Float32Array, step: TrajectoryStep): Float32Array {
  return addNoise(x0, noise, [step.abar]);
}

/** x_{t−1} = √ᾱ_{t−1} x_0 + √(1−ᾱ_{t−1}−σ_t²) (x_t − √ᾱ_t x_0)/√(1−ᾱ_t) + σ_t z, one step of the real trajectory. */
export function realStep(xt: Float32Array, x0: Float32Array, z: Float32Array, step: TrajectoryStep): Float32Array {
  const { abar, abarPrev, sigma } = step;
  const signalPrev = Math.sqrt(abarPrev);
  const direction = Math.sqrt(Math.max(0, 1 - abarPrev - sigma * sigma));
  const signal = Math.sqrt(abar);
  const noise = Math.sqrt(1 - abar);
  return xt.map((x, i) => signalPrev * x0[i]! + (direction * (x - signal * x0[i]!)) / noise + sigma * z[i]!);
}

/**
 * The whole real trajectory from x_0: x_T, …, x_1 and the last state, steps.length + 1 in all.
 *
 * @param noise that of x_T
 * @param z the noise of each step, noisiest first
 */
export function realTrajectory(
  x0: Float32Array,
  noise: Float32Array,
  z: readonly Float32Array[],
  steps: readonly TrajectoryStep[],
): Float32Array[] {
  const states = [realState(x0, noise, steps[0]!)];
  for (const [i, step] of steps.entries()) states.push(realStep(states[i]!, x0, z[i]!, step));
  return states;
}

/**
 * x'_{t−1} = μ(x'_t) + σ_t z with μ = √ᾱ_{t−1} x̂_0 + √(1−ᾱ_{t−1}−σ_t²) ε̂, x̂_0 and ε̂ from the model's output: one
 * step of the synthetic trajectory, which starts at a standard normal.
 *
 * @param modelOutput what the frozen model said of x'_t (guided, where guidance is used)
 */
export function syntheticStep(
  xt: Float32Array,
  modelOutput: Float32Array,
  z: Float32Array,
  step: TrajectoryStep,
  type: PredictionType,
): Float32Array {
  const { abar, abarPrev, sigma } = step;
  const original = originalForm(type, abar);
  const epsilon = noiseForm(type, abar);
  const signalPrev = Math.sqrt(abarPrev);
  const direction = Math.sqrt(Math.max(0, 1 - abarPrev - sigma * sigma));
  const sampleWeight = signalPrev * original.sample + direction * epsilon.sample;
  const outputWeight = signalPrev * original.output + direction * epsilon.output;
  return xt.map((x, i) => sampleWeight * x + outputWeight * modelOutput[i]! + sigma * z[i]!);
}

/**
 * The target on the real side, for which x_{t−1} − μ_θ(x_t) = κ_t (target − output):
 * ε* = (x_t − √ᾱ_t x_0)/√(1−ᾱ_t) + (σ_t/κ_t) z, and in v space √ᾱ_t ε − √(1−ᾱ_t) x_0 + (σ_t/(√ᾱ_t κ_t)) z.
 */
export function realTarget(
  xt: Float32Array,
  x0: Float32Array,
  z: Float32Array,
  step: TrajectoryStep,
  type: TargetType,
): Float32Array {
  const signal = Math.sqrt(step.abar);
  const noise = Math.sqrt(1 - step.abar);
  const spread = step.sigma / errorFactor(step, type);
  return xt.map((x, i) => {
    const epsilon = (x - signal * x0[i]!) / noise;
    return (type === "epsilon" ? epsilon : signal * epsilon - noise * x0[i]!) + spread * z[i]!;
  });
}

/** The target on the synthetic side: what the sampler applied (guided, where guidance is used) + (σ_t/κ_t) z. */
export function syntheticTarget(
  modelOutput: Float32Array,
  z: Float32Array,
  step: TrajectoryStep,
  type: TargetType,
): Float32Array {
  const spread = step.sigma / errorFactor(step, type);
  return modelOutput.map((output, i) => output + spread * z[i]!);
}

/** A point at which both models are asked, and what they are to say there. */
export interface Draw {
  /** x_t */
  readonly sample: Float32Array;
  /** ε* or v* */
  readonly target: Float32Array;
}

/**
 * A draw of the re-noised form: x_t = √ᾱ_t x_0 + √(1−ᾱ_t) ε with target ε, or v = √ᾱ_t ε − √(1−ᾱ_t) x_0.
 *
 * @param abar ᾱ at any training timestep
 */
export function renoisedDraw(x0: Float32Array, noise: Float32Array, abar: number, type: TargetType): Draw {
  return {
    sample: addNoise(x0, noise, [abar]),
    target: type === "epsilon" ? noise : velocity(x0, noise, [abar]),
  };
}

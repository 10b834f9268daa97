import { SpinError } from "../errors.js";
import { alphasCumprod, type NoiseScheduleConfig, trainingSigmas } from "./noise-schedule.js";
import { originalForm, type PredictionType } from "./prediction.js";
import { refuseThresholding, type Sampler } from "./sampler.js";
import {
  type FinalSigmas,
  karrasSigmas,
  refuseOtherSigmaSchedules,
  type SigmaScheduleConfig,
  sigmaAt,
  timestepAt,
} from "./sigma-schedule.js";
import { checkStepCount, checkTimesteps, roundHalfEven, type TimestepConfig } from "./timestep-spacing.js";

/** Settings of diffusers' DPMSolverMultistepScheduler that bear on sampling. */
export interface DpmSolverConfig extends NoiseScheduleConfig, TimestepConfig, SigmaScheduleConfig {
  readonly predictionType: PredictionType;
  /** Must be `dpmsolver++`. */
  readonly algorithmType?: string;
  /** 1 or 2. */
  readonly solverOrder?: number;
  readonly solverType?: string;
  /** Whether runs of fewer than 15 steps end with a first-order step. */
  readonly lowerOrderFinal?: boolean;
  readonly eulerAtFinal?: boolean;
  readonly finalSigmasType?: FinalSigmas;
  /** Timesteps whose log(√ᾱ/√(1−ᾱ)) lies below this are left out; −∞ keeps all. */
  readonly lambdaMinClipped?: number;
  readonly thresholding?: boolean;
}

/** Runs shorter than this end with a first-order step where lowerOrderFinal is set. */
const SHORT_RUN = 15;

/**
 * DPM-Solver++ (Lu et al. 2022, arXiv 2211.01095), multistep, of order 1 or 2, on the predicted x_0. Steps must be
 * taken in order; i = 0 starts afresh.
 *
 * @throws SpinError `invalid` for step counts and settings that do not go together.
 */
export function createDpmSolver(config: DpmSolverConfig, numSteps: number): Sampler {
  refuseThresholding(config.thresholding);
  refuseOtherSigmaSchedules(config);
  const { order, solverType } = checkAlgorithm(config);
  const training = trainingSigmas(alphasCumprod(config));
  const { timesteps, levels } = placeSteps(config, training, numSteps);
  const endsAtZero = config.finalSigmasType !== "sigma_min";
  const sigmas = Float32Array.from([...levels, endsAtZero ? 0 : training[0]!]);
  const lastIsFirstOrder =
    endsAtZero || Boolean(config.eulerAtFinal) || ((config.lowerOrderFinal ?? true) && timesteps.length < SHORT_RUN);
  let previous: Float32Array | undefined;
  let nextStep = 0;

  return {
    timesteps,
    sigmas,
    initNoiseSigma: 1,
    scaleModelInput: (sample) => sample,
    needsNoise: () => false,
    step(modelOutput, i, sample) {
      if (i === 0) previous = undefined;
      else if (i !== nextStep) throw new SpinError("internal", `DPM-Solver step ${i} taken where ${nextStep} was due`);
      nextStep = i + 1;
      // α = √ᾱ and σ = √(1−ᾱ) of the paper, from diffusers' σ/α; λ = log(α/σ), so e^{−h} is a quotient of the latter.
      const from = sigmas[i]!;
      const to = sigmas[i + 1]!;
      const abar = 1 / (from * from + 1);
      const alpha = 1 / Math.sqrt(to * to + 1);
      const original = originalForm(config.predictionType, abar);
      const x0 = sample.map((x, k) => original.sample * x + original.output * modelOutput[k]!);
      const last = previous;
      previous = x0;

      // Equation 9 and algorithm 2: x = (σ_t/σ_s) x_s − α_t (e^{−h} − 1) D, of which D_0 is x_0 and D_1 its slope in λ.
      const decay = to / from;
      const sampleWeight = (to * alpha) / (from * Math.sqrt(abar));
      const originalWeight = -alpha * (decay - 1);
      if (!last || order === 1 || (i === timesteps.length - 1 && lastIsFirstOrder)) {
        return sample.map((x, k) => sampleWeight * x + originalWeight * x0[k]!);
      }
      const h = Math.log(from / to);
      const previousH = Math.log(sigmas[i - 1]! / from);
      const slope = h / previousH;
      const slopeWeight = solverType === "heun" ? alpha * ((decay - 1) / h + 1) : originalWeight / 2;
      return sample.map((x, k) => {
        const d0 = x0[k]!;
        const d1 = slope * (d0 - last[k]!);
        return sampleWeight * x + originalWeight * d0 + slopeWeight * d1;
      });
    },
  };
}

function checkAlgorithm(config: DpmSolverConfig): { order: number; solverType: string } {
  const algorithm = config.algorithmType ?? "dpmsolver++";
  const order = config.solverOrder ?? 2;
  const solverType = config.solverType ?? "midpoint";
  const refuse = (field: string, value: unknown, expected: string) =>
    new SpinError("invalid", `${field} is ${String(value)}, expected ${expected}`, {
      field,
      remedy: "change the scheduler's configuration, or use DDIM",
    });
  if (algorithm !== "dpmsolver++") throw refuse("algorithm_type", algorithm, "dpmsolver++");
  if (order !== 1 && order !== 2) throw refuse("solver_order", order, "1 or 2");
  if (solverType !== "midpoint" && solverType !== "heun") throw refuse("solver_type", solverType, "midpoint or heun");
  return { order, solverType };
}

/** The timesteps and noise levels σ of the steps, noisiest first, without the level at the end. */
function placeSteps(
  config: DpmSolverConfig,
  training: Float32Array,
  numSteps: number,
): { timesteps: number[]; levels: number[] } {
  if (config.useKarrasSigmas) {
    checkStepCount(numSteps, config.numTrainTimesteps);
    const levels = karrasSigmas(training[training.length - 1]!, training[0]!, numSteps, config);
    const exact = levels.map((sigma) => timestepAt(training, sigma));
    // diffusers then drops the fraction, which is left only on the cosine schedule.
    const timesteps = exact.map(config.betaSchedule === "squaredcos_cap_v2" ? Math.floor : roundHalfEven);
    return { timesteps, levels };
  }
  const timesteps = checkTimesteps(spacedTimesteps(config, training, numSteps), config);
  return { timesteps, levels: timesteps.map((t) => sigmaAt(training, t)) };
}

/**
 * diffusers places n steps as n of n + 1, leaving out the least noisy, but for `trailing`, which has fewer steps where
 * lambdaMinClipped cuts some off.
 */
function spacedTimesteps(config: DpmSolverConfig, training: Float32Array, numSteps: number): number[] {
  const smallestLambda = config.lambdaMinClipped ?? Number.NEGATIVE_INFINITY;
  const end = training.filter((sigma) => -Math.log(sigma) >= smallestLambda).length;
  checkStepCount(numSteps, end - 1);
  const descending = Array.from({ length: numSteps }, (_, i) => numSteps - i);
  switch (config.timestepSpacing) {
    case "linspace":
      return descending.map((k) => roundHalfEven(k * ((end - 1) / numSteps)));
    case "leading": {
      const ratio = Math.floor(end / (numSteps + 1));
      return descending.map((k) => k * ratio + config.stepsOffset);
    }
    case "trailing": {
      const ratio = config.numTrainTimesteps / numSteps;
      return descending.map((_, i) => roundHalfEven(end - i * ratio) - 1).filter((t) => t >= 0);
    }
  }
}

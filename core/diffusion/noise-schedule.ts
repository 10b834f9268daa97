import { SpinError } from "../errors.js";

/** How β grows from the first to the last training timestep. */
export type BetaSchedule = "linear" | "scaled_linear" | "squaredcos_cap_v2";

/** The part of a scheduler's configuration that fixes the forward process. */
export interface NoiseScheduleConfig {
  readonly numTrainTimesteps: number;
  readonly betaStart: number;
  readonly betaEnd: number;
  readonly betaSchedule: BetaSchedule;
  /** Explicit β; where given, the three settings above are not used. */
  readonly trainedBetas?: readonly number[] | null;
  /** Shift and scale √ᾱ so that the last timestep is pure noise. */
  readonly rescaleBetasZeroSnr?: boolean;
}

const f32 = Math.fround;

/** The largest β of the cosine schedule, which would otherwise reach 1. */
const MAX_COSINE_BETA = 0.999;

/**
 * β_t for t = 0 … numTrainTimesteps − 1, in float32 with the roundings of diffusers' schedulers.
 *
 * @throws SpinError `invalid` when trainedBetas has another length, or a β is not in [0, 1].
 */
export function betas(config: NoiseScheduleConfig): Float32Array {
  const beta = unscaledBetas(config);
  const outside = beta.findIndex((b) => !(b >= 0 && b <= 1));
  if (outside >= 0) {
    throw new SpinError("invalid", `beta at timestep ${outside} is ${beta[outside]}, expected a number in [0, 1]`, {
      field: config.trainedBetas ? "trained_betas" : "beta_end",
      remedy: "correct the scheduler's configuration",
    });
  }
  return config.rescaleBetasZeroSnr ? rescaleZeroTerminalSnr(beta) : beta;
}

/**
 * ᾱ_t = Π_{s ≤ t} (1 − β_s), the share of signal power at each training timestep (equation 4 of Ho et al. 2020).
 * The product runs in double precision and each ᾱ is rounded to float32, as torch.cumprod does on a CPU.
 */
export function alphasCumprod(config: NoiseScheduleConfig): Float32Array {
  return cumulativeProduct(betas(config));
}

/**
 * √((1 − ᾱ_t) / ᾱ_t), the noise level of a sample scaled to unit signal. A zero ᾱ (pure noise) becomes 2⁻²⁴, as in
 * diffusers, so that the largest level stays finite.
 */
export function trainingSigmas(alphaBars: Float32Array): Float32Array {
  return alphaBars.map((abar) => {
    const positive = abar === 0 ? 2 ** -24 : abar;
    return Math.sqrt(f32(f32(1 - positive) / positive));
  });
}

function unscaledBetas(config: NoiseScheduleConfig): Float32Array {
  const { numTrainTimesteps: count, betaStart, betaEnd, trainedBetas } = config;
  if (trainedBetas) {
    if (trainedBetas.length !== count) {
      throw new SpinError("invalid", `trained_betas has ${trainedBetas.length} values, expected ${count}`, {
        field: "trained_betas",
        remedy: "give one beta for each of num_train_timesteps",
      });
    }
    return Float32Array.from(trainedBetas);
  }
  switch (config.betaSchedule) {
    case "linear":
      return linspace(betaStart, betaEnd, count);
    case "scaled_linear":
      return linspace(Math.sqrt(betaStart), Math.sqrt(betaEnd), count).map((root) => root * root);
    case "squaredcos_cap_v2":
      return cosineBetas(count);
  }
}

/** β_t = 1 − ᾱ((t+1)/T) / ᾱ(t/T) with ᾱ(u) = cos²((u + 0.008)/1.008 · π/2), equation 17 of Nichol & Dhariwal 2021. */
function cosineBetas(count: number): Float32Array {
  const alphaBar = (u: number) => Math.cos((((u + 0.008) / 1.008) * Math.PI) / 2) ** 2;
  return Float32Array.from({ length: count }, (_, t) =>
    Math.min(1 - alphaBar((t + 1) / count) / alphaBar(t / count), MAX_COSINE_BETA),
  );
}

/** Algorithm 1 of Lin et al. 2023 (arXiv 2305.08891): √ᾱ is moved to end at 0 and stretched to begin where it began. */
function rescaleZeroTerminalSnr(beta: Float32Array): Float32Array {
  const root = cumulativeProduct(beta).map(Math.sqrt);
  const first = root[0]!;
  const last = root[root.length - 1]!;
  const scale = f32(first / f32(first - last));
  const abar = root.map((r) => f32(f32(r - last) * scale) ** 2);
  return abar.map((a, t) => 1 - (t === 0 ? a : f32(a / abar[t - 1]!)));
}

function cumulativeProduct(beta: Float32Array): Float32Array {
  let product = 1;
  return beta.map((b) => {
    product *= f32(1 - b);
    return product;
  });
}

/**
 * Evenly spaced float32 values, counted from the nearer end and rounded once, as torch.linspace does (by a fused
 * multiply-add).
 */
function linspace(start: number, end: number, count: number): Float32Array {
  const from = f32(start);
  const to = f32(end);
  if (count === 1) return Float32Array.of(from);
  const step = f32(f32(to - from) / (count - 1));
  const half = Math.floor(count / 2);
  return Float32Array.from({ length: count }, (_, i) => (i < half ? from + step * i : to - step * (count - 1 - i)));
}

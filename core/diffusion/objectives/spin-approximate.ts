import { SpinError } from "../../errors.js";
import * as ops from "../../graph/ops/index.js";
import type { Value } from "../../graph/value.js";
import { errorFactor, type TargetType, type TrajectoryStep } from "../trajectory.js";
import { LOGISTIC, marginLoss } from "./margin-loss.js";
import type { PairErrors, PairLoss } from "./pair-errors.js";

/** The settings of equation 4.9. A β means very different things in the two spaces and under the two reductions. */
export interface SpinSettings {
  /** β_t: the same at every step (the practical form), or λ of β_t = λ T / (2 σ_t²), which needs η > 0. */
  readonly beta: number | { readonly lambda: number };
  /** Where errors are measured: on posterior means μ, or on the model's output (ε, or v of a v-prediction model). */
  readonly errorSpace: "mu" | "epsilon";
  /** How a squared norm is taken over C, H, W. */
  readonly reduction: "sum" | "mean";
}

/** The steps that draws are taken from, and what is drawn. */
export interface Trajectory {
  /** All T steps. */
  readonly steps: readonly TrajectoryStep[];
  readonly targetType: TargetType;
  /** C·H·W of the latents. */
  readonly latentSize: number;
}

/**
 * SPIN-Diffusion, equation 4.9 (arXiv 2402.10210): L = E[ℓ(−β_t A_t)], ℓ(z) = log(1 + e^(−z)), with
 * A_t = κ_t² [(e − e_k) − (e' − e'_k)] as x_{t−1} − μ_θ = κ_t (ε* − ε_θ).
 *
 * @param weight β_t κ_t² of each draw, [B] (see {@link spinWeight}).
 */
export function spinApproximate(errors: PairErrors, weight: Value): PairLoss {
  const inside = spinMargin(errors, weight);
  return { loss: ops.mean(marginLoss(LOGISTIC, inside)), inside };
}

/** −β_t A_t of each draw, [B]. */
export function spinMargin(errors: PairErrors, weight: Value): Value {
  const real = ops.sub(errors.real, errors.realReference);
  const synthetic = ops.sub(errors.synthetic, errors.syntheticReference);
  return ops.neg(ops.mul(weight, ops.sub(real, synthetic)));
}

/**
 * The weight of a draw, in double precision: β_t, times κ_t² where errors are measured on means, times C·H·W where they are sums.
 *
 * @param timestep one of the trajectory's
 * @throws SpinError `invalid` where λ is given and σ_t is 0, `internal` for a timestep that is not the trajectory's.
 */
export function spinWeight(settings: SpinSettings, trajectory: Trajectory, timestep: number): number {
  const { beta, errorSpace, reduction } = settings;
  const { steps, targetType, latentSize } = trajectory;
  const step = steps.find((one) => one.timestep === timestep);
  if (step === undefined) throw new SpinError("internal", `timestep ${timestep} is no step of the trajectory`);
  if (typeof beta === "object" && step.sigma === 0) {
    throw new SpinError(
      "invalid",
      `lambda ${beta.lambda} needs noise at every step, sigma is 0 at timestep ${timestep}`,
      {
        field: "lambda",
        remedy: "sample with eta above 0, or set a constant beta",
      },
    );
  }
  const betaT = typeof beta === "object" ? (beta.lambda * steps.length) / (2 * step.sigma ** 2) : beta;
  const toMeans = errorSpace === "mu" ? errorFactor(step, targetType) ** 2 : 1;
  return betaT * toMeans * (reduction === "sum" ? latentSize : 1);
}

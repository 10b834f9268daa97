import * as ops from "../../graph/ops/index.js";
import type { Value } from "../../graph/value.js";

/** What is made of a margin z, in which a draw's four errors come together: positive where θ tells its two sides apart better than θ_k does. */
export type MarginLoss =
  /** ℓ(z) = log(1 + e^(−z)) = −log σ(z): SPIN-Diffusion's and Diffusion-DPO's. */
  | { readonly kind: "sigmoid" }
  /** max(0, 1 − z), the hinge of SLiC-HF (Zhao et al. 2023, arXiv 2305.10425). */
  | { readonly kind: "hinge" }
  /**
   * (z − 1/(2τ))², IPO (Azar et al. 2023, arXiv 2310.12036, equation 17), with z in the part of the log-likelihood ratio. β makes
   * z of errors, τ alone says how far apart the sides shall be: scripts that take one β for both aim at a margin of 1/(2β) in
   * units of β times an error.
   */
  | { readonly kind: "ipo"; readonly tau: number };

/** ℓ, the loss of everything but DPO's variants. */
export const LOGISTIC: MarginLoss = { kind: "sigmoid" };

/** The loss of each margin, [B] → [B]. */
export function marginLoss(loss: MarginLoss, margin: Value): Value {
  switch (loss.kind) {
    case "sigmoid":
      return ops.softplus(ops.neg(margin)); // −log σ(z) = log(1 + e^(−z))
    case "hinge":
      return ops.clip(ops.sub(1, margin), 0, MAX_FLOAT32);
    case "ipo":
      return ops.square(ops.sub(margin, 1 / (2 * loss.tau)));
  }
}

const MAX_FLOAT32 = (2 - 2 ** -23) * 2 ** 127;

/** The same of one number, in double precision. */
export function marginLossOf(loss: MarginLoss, margin: number): number {
  switch (loss.kind) {
    case "sigmoid":
      // Split so that no exponential overflows.
      return Math.max(0, -margin) + Math.log1p(Math.exp(-Math.abs(margin)));
    case "hinge":
      return Math.max(0, 1 - margin);
    case "ipo":
      return (margin - 1 / (2 * loss.tau)) ** 2;
  }
}

/** dℓ/dz, which for the logistic is −σ(−z). */
export function marginSlope(loss: MarginLoss, margin: number): number {
  switch (loss.kind) {
    case "sigmoid":
      return -1 / (1 + Math.exp(margin));
    case "hinge":
      return margin < 1 ? -1 : 0;
    case "ipo":
      return 2 * (margin - 1 / (2 * loss.tau));
  }
}

/** Share of the slope at a margin of 0 below which a draw teaches nothing any more. */
const SATURATED = 0.01;

/** Whether the loss has no slope left to speak of: such draws cost time and move nothing. */
export function isSaturated(loss: MarginLoss, margin: number): boolean {
  return Math.abs(marginSlope(loss, margin)) < SATURATED * Math.abs(marginSlope(loss, 0));
}

import type { Value } from "../../graph/value.js";

/**
 * The four squared errors of a draw, [B] each, in the space of the model's output and averaged over C, H, W (see
 * `squaredError`); the references e_k are those of the frozen θ_k and have no gradient.
 */
export interface PairErrors {
  /** e = ‖ε* − ε_θ‖² on the real side, or of a pair's winner. */
  readonly real: Value;
  /** e_k = ‖ε* − ε_θk‖² there. */
  readonly realReference: Value;
  /** e' on the synthetic side, or of a pair's loser. */
  readonly synthetic: Value;
  /** e'_k there. */
  readonly syntheticReference: Value;
}

/** A loss on pairs. */
export interface PairLoss {
  /** Scalar; of the logistic, ln 2 where θ = θ_k. */
  readonly loss: Value;
  /** The margin, argument of the loss, [B]: positive where θ tells real from synthetic better than θ_k does. */
  readonly inside: Value;
}

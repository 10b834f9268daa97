import { SpinError } from "../core/errors.js";
import type { DivergenceStop } from "../proto/gen/spin/v1/training.js";
import type { DrawFigures } from "./step-figures.js";

/** When training counts as diverging. */
export interface DivergenceLimits {
  /** Steps in a row that a signal must show. */
  readonly patience: number;
  /** Margin beyond which the logistic has all but reached its end. */
  readonly margin: number;
  /** Share by which both errors must have grown against θ_k's. */
  readonly errorRise: number;
  /** Share by which the real error alone may have grown. */
  readonly realErrorRise: number;
}

/** The margin and the rise of both errors are those that a collapse in small showed. */
export const DIVERGENCE_DEFAULTS: DivergenceLimits = { patience: 5, margin: 3, errorRise: 0.1, realErrorRise: 0.5 };

/** A message's limits, with defaults where it says nothing. */
export function divergenceLimits(stop: DivergenceStop): DivergenceLimits {
  return {
    patience: stop.patience || DIVERGENCE_DEFAULTS.patience,
    margin: stop.margin ?? DIVERGENCE_DEFAULTS.margin,
    errorRise: stop.errorRise ?? DIVERGENCE_DEFAULTS.errorRise,
    realErrorRise: stop.realErrorRise ?? DIVERGENCE_DEFAULTS.realErrorRise,
  };
}

/** What of a step's figures tells of divergence. */
export type DivergenceFigures = Pick<
  DrawFigures,
  "margin" | "realError" | "realErrorChange" | "syntheticError" | "syntheticErrorChange"
>;

/**
 * The pair of signals that a collapse gives (measured in small): the margin soars, which looks like success, while θ has become worse than
 * θ_k on both sides.
 */
export function isCollapsing(figures: DivergenceFigures, limits: DivergenceLimits = DIVERGENCE_DEFAULTS): boolean {
  return (
    figures.margin > limits.margin &&
    realRise(figures) > limits.errorRise &&
    riseOf(figures.syntheticError, figures.syntheticErrorChange) > limits.errorRise
  );
}

/** Share by which the real error has grown against θ_k's. */
function realRise({ realError, realErrorChange }: DivergenceFigures): number {
  return riseOf(realError, realErrorChange);
}

/** Growth of an error as a share of what it was; 0 where it is not compared with θ_k's. */
function riseOf(error: number, change: number): number {
  return change === 0 ? 0 : change / (error - change);
}

interface Signal {
  readonly shows: (figures: DivergenceFigures, limits: DivergenceLimits) => boolean;
  /** What was seen. */
  readonly tell: (figures: DivergenceFigures, limits: DivergenceLimits) => string;
}

const percent = (share: number) => `${(100 * share).toFixed(1)} %`;

/** By the names that a failure tells. */
const SIGNALS: Readonly<Record<string, Signal>> = {
  COLLAPSE: {
    shows: isCollapsing,
    tell: (figures, { margin, errorRise }) => {
      const rises = `real ${percent(realRise(figures))}, synthetic ${percent(riseOf(figures.syntheticError, figures.syntheticErrorChange))}`;
      return `the margin was above ${margin} (now ${figures.margin.toFixed(2)}) while both errors exceeded the opponent's by more than ${percent(errorRise)} (now ${rises})`;
    },
  },
  REAL_ERROR: {
    shows: (figures, limits) => realRise(figures) > limits.realErrorRise,
    tell: (figures, { realErrorRise }) =>
      `the real error exceeded the opponent's by more than ${percent(realErrorRise)} (now ${percent(realRise(figures))})`,
  },
};

/** Watches an iteration's steps for signals that last. */
export class DivergenceWatch {
  readonly #limits: DivergenceLimits;
  /** Steps in a row that each signal has shown. */
  readonly #streaks = new Map<string, number>();

  constructor(limits: DivergenceLimits) {
    this.#limits = limits;
  }

  /** Takes note of the next step. @throws SpinError "diverged" naming a signal that has shown for long enough */
  note(figures: DivergenceFigures): void {
    for (const [name, { shows, tell }] of Object.entries(SIGNALS)) {
      const streak = shows(figures, this.#limits) ? (this.#streaks.get(name) ?? 0) + 1 : 0;
      this.#streaks.set(name, streak);
      if (streak < this.#limits.patience) continue;
      const message = `the iteration diverges (${name}): for ${streak} steps in a row ${tell(figures, this.#limits)}`;
      throw new SpinError("diverged", message, {
        field: "spec.divergence_stop",
        remedy: "lower the learning rate, raise beta or lambda, or take fewer steps",
      });
    }
  }
}

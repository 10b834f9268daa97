import { SpinError } from "../errors.js";

/** Where the sampling steps lie among the training timesteps (table 2 of Lin et al. 2023, arXiv 2305.08891). */
export type TimestepSpacing = (typeof SPACINGS)[number];
export const SPACINGS = ["leading", "trailing", "linspace"] as const;

/** The part of a scheduler's configuration that places the sampling steps. */
export interface TimestepConfig {
  readonly numTrainTimesteps: number;
  readonly timestepSpacing: TimestepSpacing;
  /** Added to every timestep of `leading`. */
  readonly stepsOffset: number;
}

/**
 * The training timesteps that `numSteps` sampling steps stand on, noisiest first, as diffusers' DDIM places them.
 *
 * @throws SpinError `invalid` when numSteps is not in [1, numTrainTimesteps], or a timestep falls outside the schedule.
 */
export function samplingTimesteps(config: TimestepConfig, numSteps: number): number[] {
  return checkTimesteps(fractionalTimesteps(config, numSteps).map(roundHalfEven), config);
}

/** The same before rounding: `linspace` may stand between two training timesteps. */
export function fractionalTimesteps(config: TimestepConfig, numSteps: number): number[] {
  const { numTrainTimesteps, timestepSpacing, stepsOffset } = config;
  checkStepCount(numSteps, numTrainTimesteps);
  const descending = Array.from({ length: numSteps }, (_, i) => numSteps - 1 - i);
  switch (timestepSpacing) {
    case "leading": {
      const ratio = Math.floor(numTrainTimesteps / numSteps);
      return descending.map((k) => k * ratio + stepsOffset);
    }
    case "trailing": {
      const ratio = numTrainTimesteps / numSteps;
      return descending.map((_, i) => roundHalfEven(numTrainTimesteps - i * ratio) - 1);
    }
    case "linspace": {
      if (numSteps === 1) return [0];
      const spacing = (numTrainTimesteps - 1) / (numSteps - 1);
      return descending.map((k) => (k === numSteps - 1 ? numTrainTimesteps - 1 : k * spacing));
    }
  }
}

/** @throws SpinError `invalid` unless numSteps is a whole number in [1, numTrainTimesteps]. */
export function checkStepCount(numSteps: number, numTrainTimesteps: number): void {
  if (!Number.isInteger(numSteps) || numSteps < 1 || numSteps > numTrainTimesteps) {
    throw new SpinError("invalid", `number of sampling steps is ${numSteps}, expected 1 to ${numTrainTimesteps}`, {
      field: "num_steps",
      remedy: "ask for at most as many steps as the model was trained with",
    });
  }
}

/** Returns the timesteps, all of which lie in [0, numTrainTimesteps). */
export function checkTimesteps(timesteps: number[], config: TimestepConfig): number[] {
  const outside = timesteps.find((t) => t < 0 || t >= config.numTrainTimesteps);
  if (outside !== undefined) {
    throw new SpinError("invalid", `sampling timestep ${outside} is outside [0, ${config.numTrainTimesteps})`, {
      field: "steps_offset",
      remedy: `use fewer steps, or a smaller steps_offset than ${config.stepsOffset}`,
    });
  }
  return timesteps;
}

/** Nearest integer, halves to the even neighbour, as numpy rounds. */
export function roundHalfEven(value: number): number {
  const nearest = Math.round(value);
  return nearest - value === 0.5 && nearest % 2 !== 0 ? nearest - 1 : nearest;
}

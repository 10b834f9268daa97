/** diffusers' names of how the learning rate goes. */
export type LearningRateSchedule = "constant" | "constant_with_warmup" | "linear" | "cosine";

/** Settings of a learning-rate schedule. */
export interface LearningRateOptions {
  /** Rate at the height of the schedule. */
  readonly base: number;
  /** Steps over which the rate rises linearly from 0; `constant` has none. */
  readonly warmupSteps: number;
  /** Step at which `linear` and `cosine` reach 0; apart from how many steps are run. */
  readonly scheduleSteps: number;
}

/**
 * The learning rate of update number `step` (the first is 0), as diffusers' get_scheduler gives it up to
 * `scheduleSteps`; from there on `linear` and `cosine` stay at 0 (diffusers' cosine would rise again).
 */
export function learningRate(schedule: LearningRateSchedule, options: LearningRateOptions, step: number): number {
  const { base, warmupSteps, scheduleSteps } = options;
  if (schedule === "constant") return base;
  if (step < warmupSteps) return (base * step) / warmupSteps;
  // A warm-up as long as the whole schedule leaves a decay of one step.
  const decaySteps = Math.max(1, scheduleSteps - warmupSteps);
  switch (schedule) {
    case "constant_with_warmup":
      return base;
    case "linear":
      return base * Math.max(0, (scheduleSteps - step) / decaySteps);
    case "cosine": {
      const progress = Math.min(1, (step - warmupSteps) / decaySteps);
      return (base * (1 + Math.cos(Math.PI * progress))) / 2;
    }
  }
}

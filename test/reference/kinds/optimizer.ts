import { type LearningRateSchedule, learningRate } from "../../../core/diffusion/learning-rate.js";
import type { ReferenceCase } from "../cases.js";
import type { CaseResult } from "../judge.js";

export function run(reference: ReferenceCase): Promise<CaseResult> {
  if ("schedules" in reference.parameters) return Promise.resolve(rateSchedules(reference));
  throw new Error(`no handler for optimizer/${reference.name}`);
}

interface RateParameters {
  readonly base: number;
  readonly total: number;
  readonly schedules: readonly { readonly name: LearningRateSchedule; readonly warmup: number }[];
}

/** The rates of each schedule, one per update from the first to the one at the horizon. */
function rateSchedules(reference: ReferenceCase): CaseResult {
  const { base, total, schedules } = reference.parameters as unknown as RateParameters;
  const rates = schedules.map(({ name, warmup }) =>
    Array.from({ length: total + 1 }, (_, step) =>
      learningRate(name, { base, warmupSteps: warmup, scheduleSteps: total }, step),
    ),
  );
  return { values: Object.fromEntries(rates.map((row, i) => [`rates.${i}`, row])) };
}

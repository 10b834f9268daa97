import type { StepMetrics } from "../../proto/gen/spin/v1/training.js";
import { formatSeconds } from "../progress.js";

/** What a step of `name` looked like, in one line of a terminal. @param left seconds of the rest of the run, where known */
export function stepLine(name: string, step: StepMetrics, total: number, left: number | undefined): string {
  const parts = [
    `${name} ${String(step.step).padStart(String(total).length)}/${total}`,
    `loss ${step.loss.toFixed(4)}`,
    ...(isPairwise(step)
      ? [
          `margin ${signed(step.margin, 3)}`,
          `${(100 * step.implicitAccuracy).toFixed(0)} % right`,
          `errors ${signed(step.realErrorChange, 4)} real, ${signed(step.syntheticErrorChange, 4)} synthetic`,
        ]
      : []),
    `gradient ${step.gradNorm.toPrecision(3)}`,
    `rate ${step.learningRate.toPrecision(2)}`,
    ...(left === undefined ? [] : [`${formatSeconds(left)} left`]),
  ];
  return parts.join("  ");
}

/** Supervised fine-tuning has one side, whose pairs' figures are all 0. */
function isPairwise({ syntheticError }: StepMetrics): boolean {
  return syntheticError !== 0;
}

function signed(value: number, decimals: number): string {
  const text = value.toFixed(decimals);
  if (Number(text) === 0) return `+${(0).toFixed(decimals)}`; // no minus before a zero
  return value < 0 ? text : `+${text}`;
}

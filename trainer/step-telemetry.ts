import { count, note, observe } from "../core/service/metrics.js";
import type { StepMetrics } from "../proto/gen/spin/v1/training.js";
import { isCollapsing } from "./divergence.js";

/** Tells the meter of a step. Without a collector every instrument is a no-op. */
export function recordStep(step: StepMetrics, examples: number): void {
  count("spin.trainer.steps");
  count("spin.trainer.examples", examples);
  observe("spin.trainer.step.wait", step.waitSeconds);
  observe("spin.trainer.step.compute", step.computeSeconds);
  note("spin.trainer.loss", step.loss);
  note("spin.trainer.margin", step.margin);
  note("spin.trainer.accuracy", step.implicitAccuracy);
  note("spin.trainer.gradient.norm", step.gradNorm);
  note("spin.trainer.update.norm", step.updateNorm);
  note("spin.trainer.saturated.share", step.saturatedShare);
  count("spin.trainer.collapse.warnings", isCollapsing(step) ? 1 : 0);
}

import { metrics } from "@opentelemetry/api";
import { METER } from "../core/service/tracing.js";
import type { StepMetrics } from "../proto/gen/spin/v1/training.js";
import { isCollapsing } from "./divergence.js";

/** Tells the meter of a step. Without a collector every instrument is a no-op. */
export function recordStep(step: StepMetrics): void {
  const meter = metrics.getMeter(METER);
  meter.createCounter("spin.trainer.steps").add(1);
  meter.createHistogram("spin.trainer.step.wait", { unit: "s" }).record(step.waitSeconds);
  meter.createHistogram("spin.trainer.step.compute", { unit: "s" }).record(step.computeSeconds);
  meter.createGauge("spin.trainer.loss").record(step.loss);
  meter.createGauge("spin.trainer.margin").record(step.margin);
  meter.createGauge("spin.trainer.gradient.norm").record(step.gradNorm);
  meter.createGauge("spin.trainer.update.norm").record(step.updateNorm);
  meter.createGauge("spin.trainer.saturated.share").record(step.saturatedShare);
  if (isCollapsing(step)) meter.createCounter("spin.trainer.collapse.warnings").add(1);
}

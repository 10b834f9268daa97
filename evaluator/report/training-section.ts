import { formatDuration, formatNumber } from "../format.js";
import { type Html, html } from "./html.js";
import { type LineChart, type Point, renderLineChart } from "./line-chart.js";
import type { IterationCurve, Report, StepPoint } from "./report.js";
import { seriesClassOf } from "./series.js";

/** How good the estimate of its time was; loss, margin, implicit accuracy, errors, norms and saturation of every iteration, as far as its steps tell. */
export function renderTraining(
  { iterations, estimate }: Pick<Report, "iterations" | "estimate">,
  checkpoints: readonly string[],
): Html {
  return html`<section><h2>Training</h2>
${estimate !== undefined && estimateNote(estimate)}
${iterations.map(
  (
    iteration,
  ) => html`<div class="iteration"><h3 class="${seriesClassOf(iteration.name, checkpoints)}"><i class="swatch"></i>${iteration.name}
<span class="over">${iteration.opponent !== undefined && html`against ${iteration.opponent}, `}${iteration.steps.length} steps</span></h3>
<div class="charts">${charts(iteration, seriesClassOf(iteration.name, checkpoints))}</div></div>`,
)}
<p class="note">Across: optimiser steps of the iteration. Faint: every step; strong: running mean. θ<sub>k</sub> is the opponent; at the first step θ = θ<sub>k</sub>,
so the margin is 0 and the loss ln 2. Error against θ<sub>k</sub>: mean of e − e<sub>k</sub>, below 0 where the new weights know the pictures better than the
opponent does. Real falling and synthetic rising is self-play at work; both rising together is the sign of collapse.</p></section>`;
}

function estimateNote({ plannedSeconds, measuredSeconds }: NonNullable<Report["estimate"]>): Html {
  const ratio = formatNumber(measuredSeconds / plannedSeconds, 2);
  return html`<p>Planned ${formatDuration(plannedSeconds)}, took ${formatDuration(measuredSeconds)}: ${ratio} times the plan.</p>`;
}

function charts({ opponent, steps }: IterationCurve, className: string): Html[] {
  const points = (field: keyof StepPoint): Point[] =>
    steps.flatMap((step) => (step[field] === undefined ? [] : [[step.step, step[field]] as const]));
  const one = (title: string, field: keyof StepPoint) => ({
    title,
    spokenTitle: title,
    series: [{ label: title, className, points: points(field) }],
  });
  /** Only where steps tell it: trainers of other versions do not. */
  const optional = (chart: LineChart): Html[] =>
    chart.series.every((series) => series.points.length === 0) ? [] : [renderLineChart(chart)];
  const health = [
    ...optional(one("Gradient norm", "gradNorm")),
    ...optional(one("Update norm", "updateNorm")),
    ...(opponent === undefined
      ? []
      : optional({ ...one("Saturated share", "saturatedShare"), domain: [0, 1] as const })),
  ];
  if (opponent === undefined) return [renderLineChart(one("Loss", "loss")), ...health];
  return [
    renderLineChart({ ...one("Loss", "loss"), reference: { value: Math.LN2, label: "ln 2" } }),
    renderLineChart({ ...one("Margin", "margin"), reference: { value: 0 } }),
    renderLineChart({
      ...one("Implicit accuracy", "implicitAccuracy"),
      reference: { value: 0.5, label: "chance" },
      domain: [0, 1],
    }),
    renderLineChart({
      title: html`Error against θ<sub>k</sub>`,
      spokenTitle: "Error against the opponent",
      series: [
        { label: "real", className, points: points("realErrorChange") },
        { label: "synthetic", className: `${className} dashed`, points: points("syntheticErrorChange") },
      ],
      reference: { value: 0 },
    }),
    ...health,
  ];
}

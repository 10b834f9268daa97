import { columnDecimals, formatNumber } from "../format.js";
import { type Html, html } from "./html.js";
import { px } from "./line-chart.js";
import { type Metric, metricsOf } from "./metrics.js";
import type { Report } from "./report.js";
import { niceScale, type Scale } from "./scale.js";
import { seriesClass } from "./series.js";

const WIDTH = 272;
const HEIGHT = 190;
const FRAME = { left: 50, right: 14, top: 12, bottom: 34 };

/** Where a checkpoint stands on the horizontal axis. */
interface Place {
  readonly i: number;
  readonly x: number;
}

interface Plot {
  readonly places: readonly Place[];
  /** Pairs of checkpoints that a line joins. */
  readonly links: readonly (readonly [from: number, to: number])[];
  /** Checkpoints drawn as a level across the whole width. */
  readonly levels: readonly number[];
  readonly axis: string;
  readonly xTicks: readonly number[] | undefined;
}

/** The paper's figure 3: every figure by iteration of self-play, with the other checkpoints as levels. */
export function renderByIteration(report: Report): Html | undefined {
  const names = report.checkpoints.map(({ name }) => name);
  const chain = report.selfPlay.map((name) => names.indexOf(name)).filter((i) => i >= 0);
  if (chain.length < 2) return undefined;
  const plot: Plot = {
    places: chain.map((i, k) => ({ i, x: k })),
    links: chain.slice(1).map((i, k) => [chain[k]!, i] as const),
    levels: names.map((_, i) => i).filter((i) => !chain.includes(i)),
    axis: "iteration",
    xTicks: chain.map((_, k) => k),
  };
  return html`<h3>Figure 3: figures by iteration</h3>
<div class="charts">${metricsOf(report).map((metric) => chart(metric, plot, report))}</div>
<p class="note">0 is ${report.baseline}. Dashed levels: checkpoints that are no iteration of self-play.</p>`;
}

/** The paper's figure 5: every figure by optimiser steps; lines lead from a checkpoint to those trained from it. */
export function renderBySteps(report: Report): Html | undefined {
  const { checkpoints, lineage } = report;
  const index = new Map(checkpoints.map(({ name }, i) => [name, i]));
  const links = lineage.flatMap(({ name, parent }) => {
    const [to, from] = [index.get(name), parent === undefined ? undefined : index.get(parent)];
    return to === undefined || from === undefined ? [] : [[from, to] as const];
  });
  if (links.length === 0) return undefined;
  const places = checkpoints.map(({ steps }, i) => ({ i, x: steps }));
  const plot: Plot = { places, links, levels: [], axis: "optimiser steps since the base", xTicks: undefined };
  return html`<h3>Figure 5: going on training, or going on to the next iteration</h3>
<div class="charts">${metricsOf(report).map((metric) => chart(metric, plot, report))}</div>
<p class="note">A line leads from a checkpoint to those that were trained from it: a longer line is more steps against the same opponent, a second line behind
it the next iteration.</p>`;
}

function chart(metric: Metric, plot: Plot, report: Report): Html {
  const { values, name, better } = metric;
  const x = niceScale(
    [Math.min(0, ...plot.places.map((place) => place.x)), Math.max(1, ...plot.places.map((place) => place.x))],
    [FRAME.left, WIDTH - FRAME.right],
    3,
  );
  const y = niceScale([Math.min(...values), Math.max(...values)], [HEIGHT - FRAME.bottom, FRAME.top], 4);
  const decimals = columnDecimals(values);
  const spot = new Map(plot.places.map((place) => [place.i, [x(place.x), y(values[place.i]!)] as const]));
  const spoken = plot.places.map(
    (place) => `${report.checkpoints[place.i]!.name} ${formatNumber(values[place.i]!, decimals)}`,
  );
  return html`<figure class="chart"><figcaption>${name} ${better === "higher" ? "↑" : "↓"}</figcaption>
<svg viewBox="0 0 ${WIDTH} ${HEIGHT}" width="${WIDTH}" height="${HEIGHT}" role="img" aria-label="${name}: ${spoken.join(", ")}">
${frame(x, y, plot)}
${plot.levels.map((i) => html`<g class="${seriesClass(i)} dashed"><title>${report.checkpoints[i]!.name}</title><line class="mean" x1="${FRAME.left}" x2="${WIDTH - FRAME.right}" y1="${px(y(values[i]!))}" y2="${px(y(values[i]!))}"/></g>`)}
${plot.links.map(([from, to]) => line(spot.get(from), spot.get(to), seriesClass(to)))}
${plot.places.map(({ i }) => {
  const [cx, cy] = spot.get(i)!;
  return html`<g class="${seriesClass(i)}"><title>${report.checkpoints[i]!.name}: ${formatNumber(values[i]!, decimals)}</title><circle cx="${px(cx)}" cy="${px(cy)}" r="4"/></g>`;
})}
</svg></figure>`;
}

function line(
  from: readonly [number, number] | undefined,
  to: readonly [number, number] | undefined,
  className: string,
) {
  if (from === undefined || to === undefined) return undefined;
  return html`<g class="${className}"><line class="mean" x1="${px(from[0])}" y1="${px(from[1])}" x2="${px(to[0])}" y2="${px(to[1])}"/></g>`;
}

function frame(x: Scale, y: Scale, { axis, xTicks }: Plot): Html {
  const bottom = HEIGHT - FRAME.bottom;
  return html`<g class="grid">${y.ticks.map((tick) => html`<line x1="${FRAME.left}" x2="${WIDTH - FRAME.right}" y1="${px(y(tick))}" y2="${px(y(tick))}"/>`)}</g>
<g class="ticks">${y.ticks.map((tick) => html`<text x="${FRAME.left - 6}" y="${px(y(tick) + 3.5)}" text-anchor="end">${y.format(tick)}</text>`)}
${(xTicks ?? x.ticks).map((tick) => html`<text x="${px(x(tick))}" y="${bottom + 14}" text-anchor="middle">${tick}</text>`)}
<text x="${px((FRAME.left + WIDTH - FRAME.right) / 2)}" y="${HEIGHT - 4}" text-anchor="middle">${axis}</text></g>
<line class="axis" x1="${FRAME.left}" x2="${WIDTH - FRAME.right}" y1="${bottom}" y2="${bottom}"/>`;
}

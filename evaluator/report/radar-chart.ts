import { columnDecimals, formatNumber } from "../format.js";
import { type Html, html } from "./html.js";
import { px } from "./line-chart.js";
import { type Metric, metricsOf } from "./metrics.js";
import type { Report } from "./report.js";
import { seriesClass } from "./series.js";

const SIZE = 380;
const WIDTH = 560;
const RADIUS = 132;
/** Where the worst checkpoint of an axis lies, as a share of the radius: at the centre lines could not be told apart. */
const WORST = 0.25;
const RINGS = [0.25, 0.5, 0.75, 1];
/** Fewer axes make no area. */
const MIN_AXES = 3;

/** The paper's figure 4: all figures in one drawing, each axis scaled from the worst checkpoint to the best. */
export function renderRadar(report: Report): Html | undefined {
  const metrics = metricsOf(report).filter(({ values }) => Math.max(...values) > Math.min(...values));
  if (metrics.length < MIN_AXES) return undefined;
  const spoken = report.checkpoints.map(({ name }, i) => {
    const shares = metrics.map((metric) => `${metric.name} ${Math.round(100 * shareOf(metric, i))} %`);
    return `${name}: ${shares.join(", ")}`;
  });
  return html`<h3>Figure 4: all figures</h3><figure class="chart">
<svg viewBox="0 0 ${WIDTH} ${SIZE}" width="${WIDTH}" height="${SIZE}" role="img" aria-label="Share of the way from the worst checkpoint to the best. ${spoken.join("; ")}">
<g class="grid">${RINGS.map((ring) => html`<polygon points="${outline(metrics.map(() => ring))}"/>`)}
${metrics.map((_, a) => html`<line x1="${px(WIDTH / 2)}" y1="${px(SIZE / 2)}" x2="${px(at(a, metrics.length, 1)[0])}" y2="${px(at(a, metrics.length, 1)[1])}"/>`)}</g>
${report.checkpoints.map(
  ({ name }, i) =>
    html`<g class="${seriesClass(i)}"><title>${name}</title><polygon class="area" points="${outline(metrics.map((metric) => WORST + (1 - WORST) * shareOf(metric, i)))}"/></g>`,
)}
<g class="ticks">${metrics.map((metric, a) => axisLabel(metric, a, metrics.length))}</g>
</svg></figure>
<p class="note">Each axis runs from the worst of these checkpoints (innermost ring) to the best (outer ring), whatever the distance: it shows who leads, not
by how much.</p>`;
}

/** Of the way from the worst checkpoint to the best, 0 to 1. */
export function shareOf({ values, better }: Metric, i: number): number {
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const share = (values[i]! - low) / (high - low);
  return better === "higher" ? share : 1 - share;
}

function axisLabel({ name, better, values }: Metric, a: number, count: number): Html {
  const [x, y] = at(a, count, 1.13);
  const side = x < WIDTH / 2 - 8 ? "end" : x > WIDTH / 2 + 8 ? "start" : "middle";
  const decimals = columnDecimals(values);
  const [worst, best] = [Math.min(...values), Math.max(...values)].map((value) => formatNumber(value, decimals));
  const range = better === "higher" ? `${worst} → ${best}` : `${best} → ${worst}`;
  return html`<text x="${px(x)}" y="${px(y)}" text-anchor="${side}"><tspan class="axis-name">${name}</tspan><tspan x="${px(x)}" dy="13">${range}</tspan></text>`;
}

function outline(shares: readonly number[]): string {
  return shares.map((share, a) => at(a, shares.length, share).map(px).join(",")).join(" ");
}

/** The point of an axis, the first upwards, the others clockwise. */
function at(axis: number, count: number, share: number): [x: number, y: number] {
  const angle = (2 * Math.PI * axis) / count - Math.PI / 2;
  return [WIDTH / 2 + RADIUS * share * Math.cos(angle), SIZE / 2 + RADIUS * share * Math.sin(angle)];
}

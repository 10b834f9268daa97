import { formatPercent, formatShareInterval } from "../format.js";
import type { Estimate } from "../metrics/bootstrap.js";
import { type Html, html } from "./html.js";
import { px } from "./line-chart.js";
import { scorerColumns } from "./paper-tables.js";
import type { Report } from "./report.js";
import { niceScale } from "./scale.js";
import { seriesClass } from "./series.js";

const WIDTH = 560;
const HEIGHT = 250;
const FRAME = { left: 46, right: 8, top: 14, bottom: 30 };
const MAX_BAR = 26;

/** The paper's figure 1: win rates over the baseline, and over a second checkpoint, as bars by scorer. */
export function renderWinRateBars(report: Report): Html {
  const { baseline, reference } = report;
  return html`<h3>Figure 1: win rates</h3><div class="panels">
${bars(report, "winRate", baseline)}${reference !== undefined && bars(report, "overReference", reference)}</div>
${legend(report)}`;
}

function bars(report: Report, figure: "winRate" | "overReference", over: string): Html {
  const columns = scorerColumns(report);
  const shown = report.checkpoints.flatMap(({ name }, i) => (name === over ? [] : [{ name, i }]));
  const rates = columns.flatMap(({ results }) => results.flatMap((result) => result[figure] ?? []));
  const highest = Math.max(0.6, ...rates.map(({ high }) => high));
  const y = niceScale([0, Math.min(1, highest)], [HEIGHT - FRAME.bottom, FRAME.top], 5);
  const group = (WIDTH - FRAME.left - FRAME.right) / columns.length;
  const bar = Math.min(MAX_BAR, (group * 0.8) / Math.max(1, shown.length));
  const place = (column: number, k: number) => FRAME.left + group * (column + 0.5) + bar * (k - (shown.length - 1) / 2);
  return html`<figure class="chart"><figcaption>over ${over}</figcaption>
<svg viewBox="0 0 ${WIDTH} ${HEIGHT}" width="${WIDTH}" height="${HEIGHT}" role="img" aria-label="${describe(report, figure, over)}">
<g class="grid">${y.ticks.map((tick) => html`<line x1="${FRAME.left}" x2="${WIDTH - FRAME.right}" y1="${px(y(tick))}" y2="${px(y(tick))}"/>`)}</g>
<g class="ticks">${y.ticks.map((tick) => html`<text x="${FRAME.left - 8}" y="${px(y(tick) + 4)}" text-anchor="end">${Math.round(100 * tick)} %</text>`)}
${columns.map(({ name }, c) => html`<text x="${px(FRAME.left + group * (c + 0.5))}" y="${HEIGHT - 10}" text-anchor="middle">${name}</text>`)}</g>
${columns.map(({ results }, c) =>
  shown.map(({ name, i }, k) => {
    const rate = results[i]![figure];
    return rate && mark(rate, name, seriesClass(i), place(c, k), bar, y);
  }),
)}
<line class="axis" x1="${FRAME.left}" x2="${WIDTH - FRAME.right}" y1="${px(y(0))}" y2="${px(y(0))}"/>
<line class="reference" x1="${FRAME.left}" x2="${WIDTH - FRAME.right}" y1="${px(y(0.5))}" y2="${px(y(0.5))}"/>
</svg></figure>`;
}

function mark(
  rate: Estimate,
  name: string,
  className: string,
  x: number,
  width: number,
  y: (v: number) => number,
): Html {
  const title = `${name}: ${formatPercent(rate.value)} ${formatShareInterval(rate)}`;
  return html`<g class="${className}"><title>${title}</title>
<rect class="fill" x="${px(x - width / 2 + 1)}" width="${px(width - 2)}" y="${px(y(rate.value))}" height="${px(y(0) - y(rate.value))}"/>
<path class="whisker" d="M${px(x)} ${px(y(rate.low))}V${px(y(rate.high))}"/></g>`;
}

function legend({ checkpoints }: Report): Html {
  return html`<p class="legend wrap">${checkpoints.map(
    ({ name }, i) => html`<span class="${seriesClass(i)}"><i class="swatch"></i>${name}</span>`,
  )}</p>`;
}

function describe(report: Report, figure: "winRate" | "overReference", over: string): string {
  const parts = scorerColumns(report).map(({ name, results }) => {
    const rates = results.flatMap((result, i) => {
      const rate = result[figure];
      return rate === undefined ? [] : [`${report.checkpoints[i]!.name} ${formatPercent(rate.value)}`];
    });
    return `${name}: ${rates.join(", ")}`;
  });
  return `Win rates over ${over}. ${parts.join("; ")}`;
}

import type { EvaluationRow } from "../evaluation-row.js";
import { formatPercent, formatShareInterval } from "../format.js";
import { type Html, html } from "./html.js";
import { px } from "./line-chart.js";
import type { LineageEntry } from "./report.js";
import { niceScale, type Scale } from "./scale.js";
import { seriesClass } from "./series.js";

const WIDTH = 720;
const HEIGHT = 300;
const FRAME = { left: 52, right: 96, top: 16, bottom: 44 };
/** Pixels between checkpoints of equal steps, so that their interval bars stand side by side. */
const DODGE = 12;
const LABEL_HEIGHT = 15;

interface Mark {
  readonly row: EvaluationRow;
  readonly className: string;
  readonly x: number;
  readonly y: number;
}

/**
 * Win rate over the baseline by optimiser steps, with interval bars; lines lead from a checkpoint to those trained from it.
 */
export function renderWinRateChart(
  rows: readonly EvaluationRow[],
  lineage: readonly LineageEntry[],
  baseline: string,
): Html {
  const bounds = rows.flatMap(({ winRate }) => [winRate.low, winRate.high]);
  const y = niceScale([Math.min(0.4, ...bounds), Math.max(0.6, ...bounds)], [HEIGHT - FRAME.bottom, FRAME.top], 5);
  const x = niceScale([0, Math.max(1, ...rows.map(({ steps }) => steps))], [FRAME.left + 24, WIDTH - FRAME.right], 6);
  const marks = place(rows, x, y);
  const byName = new Map(marks.map((mark) => [mark.row.name, mark]));
  const links = lineage.flatMap(({ name, parent }) => {
    const to = byName.get(name);
    const from = parent === undefined ? undefined : byName.get(parent);
    return to === undefined || from === undefined ? [] : [{ from, to }];
  });
  return html`<figure class="chart wide">
<svg viewBox="0 0 ${WIDTH} ${HEIGHT}" width="${WIDTH}" height="${HEIGHT}" role="img" aria-label="${describe(rows, baseline)}">
<g class="grid">${y.ticks.map((tick) => html`<line x1="${FRAME.left}" x2="${WIDTH - FRAME.right + 24}" y1="${px(y(tick))}" y2="${px(y(tick))}"/>`)}</g>
<g class="ticks">${y.ticks.map((tick) => html`<text x="${FRAME.left - 8}" y="${px(y(tick) + 4)}" text-anchor="end">${Math.round(100 * tick)} %</text>`)}
${x.ticks.map((tick) => html`<text x="${px(x(tick))}" y="${HEIGHT - FRAME.bottom + 18}" text-anchor="middle">${x.format(tick)}</text>`)}
<text x="${px((x.domain.map(x)[0]! + x.domain.map(x)[1]!) / 2)}" y="${HEIGHT - 8}" text-anchor="middle">optimiser steps since the base</text></g>
<line class="axis" x1="${FRAME.left}" x2="${WIDTH - FRAME.right + 24}" y1="${HEIGHT - FRAME.bottom}" y2="${HEIGHT - FRAME.bottom}"/>
<line class="reference" x1="${FRAME.left}" x2="${WIDTH - FRAME.right + 24}" y1="${px(y(0.5))}" y2="${px(y(0.5))}"/>
${links.map(({ from, to }) => html`<g class="${to.className}"><line class="mean" x1="${px(from.x)}" y1="${px(from.y)}" x2="${px(to.x)}" y2="${px(to.y)}"/></g>`)}
${marks.map((mark) => markWithBar(mark, y))}
${labels(marks, new Set(links.map(({ from }) => from)), y)}
</svg></figure>`;
}

function markWithBar({ row, className, x, y }: Mark, scale: Scale): Html {
  const { low, high } = row.winRate;
  const title = `${row.name}: ${formatPercent(row.winRate.value)} ${formatShareInterval(row.winRate)}`;
  return html`<g class="${className}"><title>${title}</title>${
    hasBar(row) &&
    html`<path class="bar" d="M${px(x)} ${px(scale(low))}V${px(scale(high))}M${px(x - 4)} ${px(scale(low))}h8M${px(x - 4)} ${px(scale(high))}h8"/>`
  }<circle cx="${px(x)}" cy="${px(y)}" r="4.5"/></g>`;
}

/**
 * Names: right of marks where a line ends, over the bars of marks that a line leaves, below such a mark without a bar.
 * Those of equal steps share a place and are stacked.
 */
function labels(marks: readonly Mark[], departed: ReadonlySet<Mark>, scale: Scale): Html[] {
  return [...new Set(marks.map(({ row }) => row.steps))].flatMap((steps) => {
    const group = marks.filter(({ row }) => row.steps === steps);
    const downwards = [...group].sort((a, b) => a.y - b.y);
    const right = Math.max(...group.map(({ x }) => x)) + 10;
    const top = Math.min(...group.map(({ row }) => scale(row.winRate.high)));
    let end = Number.NEGATIVE_INFINITY;
    const ends = downwards
      .filter((mark) => !departed.has(mark))
      .map((mark) => {
        end = Math.max(mark.y + 4, end + LABEL_HEIGHT);
        return name(mark, right, end, "start");
      });
    const starts = downwards.reverse().filter((mark) => departed.has(mark));
    return [
      ...ends,
      ...starts.map((mark, i) =>
        name(mark, mark.x, hasBar(mark.row) ? top - 8 - i * LABEL_HEIGHT : mark.y + 20, "middle"),
      ),
    ];
  });
}

function hasBar({ winRate }: EvaluationRow): boolean {
  return winRate.high > winRate.low;
}

function name({ row, className }: Mark, x: number, y: number, anchor: "start" | "middle"): Html {
  return html`<g class="${className}"><text class="name" x="${px(x)}" y="${px(y)}" text-anchor="${anchor}">${row.name}</text></g>`;
}

function place(rows: readonly EvaluationRow[], x: Scale, y: Scale): Mark[] {
  return rows.map((row, i) => {
    const same = rows.filter(({ steps }) => steps === row.steps);
    const offset = (same.indexOf(row) - (same.length - 1) / 2) * DODGE;
    return { row, className: seriesClass(i), x: x(row.steps) + offset, y: y(row.winRate.value) };
  });
}

function describe(rows: readonly EvaluationRow[], baseline: string): string {
  const rates = rows.map(
    ({ name, steps, winRate }) =>
      `${name} at ${steps} steps ${formatPercent(winRate.value)} ${formatShareInterval(winRate)}`,
  );
  return `Win rate over ${baseline}: ${rates.join("; ")}`;
}

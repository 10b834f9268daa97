import { formatDuration } from "../format.js";
import { type Html, html } from "./html.js";
import { px } from "./line-chart.js";
import type { ReportTimeline } from "./report.js";
import { exactScale } from "./scale.js";

const WIDTH = 1120;
const FRAME = { left: 150, right: 16, top: 6, bottom: 34 };
const LANE = 30;
const BAR = 20;
/** Kinds of work that have a colour of their own; others share the last. */
const KINDS = ["stage", "computing", "updating", "waiting", "streaming", "scoring", "rendering"];
/** Narrower stretches have no room for their label: about this many pixels a letter. */
const LETTER = 6.6;

/** What ran when: a lane a service. */
export function renderTimeline(timeline: ReportTimeline): Html {
  const { lanes, seconds } = timeline;
  const height = FRAME.top + LANE * lanes.length + FRAME.bottom;
  const x = exactScale([0, seconds], [FRAME.left, WIDTH - FRAME.right], 8);
  const kinds = [...new Set(lanes.flatMap(({ spans }) => spans.map(({ kind }) => kind)))];
  return html`<section><h2>Timeline</h2><figure class="chart timeline"><div class="scroll">
<svg viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" role="img" aria-label="${describe(timeline)}">
<g class="grid">${x.ticks.map((tick) => html`<line x1="${px(x(tick))}" x2="${px(x(tick))}" y1="${FRAME.top}" y2="${height - FRAME.bottom}"/>`)}</g>
${lanes.map(({ name, spans }, lane) => {
  const top = FRAME.top + LANE * lane + (LANE - BAR) / 2;
  return html`<g><text class="lane" x="${FRAME.left - 12}" y="${px(top + BAR / 2 + 4)}" text-anchor="end">${name}</text>
${spans.map(({ kind, start, end, label }) => {
  const width = Math.max(0.5, x(end) - x(start));
  const title = `${label === "" ? kind : label}, ${formatDuration(start)} to ${formatDuration(end)}`;
  const fits = label !== "" && width > LETTER * label.length + 8;
  return html`<g class="${kindClass(kind)}"><title>${title}</title><rect class="fill" x="${px(x(start))}" width="${px(width)}" y="${px(top)}" height="${BAR}"/>${
    fits && html`<text class="in" x="${px(x(start) + 5)}" y="${px(top + BAR / 2 + 4)}">${label}</text>`
  }</g>`;
})}</g>`;
})}
<g class="ticks">${x.ticks.map((tick) => html`<text x="${px(x(tick))}" y="${height - FRAME.bottom + 16}" text-anchor="middle">${x.format(tick)} s</text>`)}</g>
</svg></div></figure>
<p class="legend wrap">${kinds.map((kind) => html`<span class="${kindClass(kind)}"><i class="swatch square"></i>${kind}</span>`)}</p>
<p class="note">From the trace, ${formatDuration(seconds)} in all. Stretches of one kind that lie closer than a line is wide are drawn as one.</p></section>`;
}

function kindClass(kind: string): string {
  const known = KINDS.indexOf(kind);
  return `k${known < 0 ? KINDS.length : known}`;
}

function describe({ lanes }: ReportTimeline): string {
  const parts = lanes.map(({ name, spans }) => {
    const kinds = [...new Set(spans.map(({ kind }) => kind))];
    const busy = kinds.map((kind) => {
      const seconds = spans.filter((span) => span.kind === kind).reduce((sum, { start, end }) => sum + end - start, 0);
      return `${kind} ${formatDuration(seconds)}`;
    });
    return `${name}: ${busy.join(", ")}`;
  });
  return `What ran when. ${parts.join("; ")}`;
}

import { formatNumber } from "../format.js";
import { type Content, type Html, html } from "./html.js";
import { exactScale, niceScale, type Scale } from "./scale.js";

export type Point = readonly [x: number, y: number];

export interface ChartSeries {
  readonly label: string;
  /** CSS classes that set its colour and dashes. */
  readonly className: string;
  readonly points: readonly Point[];
}

export interface LineChart {
  /** For people who see the chart. */
  readonly title: Content;
  /** For those who hear it. */
  readonly spokenTitle: string;
  readonly series: readonly ChartSeries[];
  /** A level to compare with: the loss of a coin toss, a margin of zero … */
  readonly reference?: { readonly value: number; readonly label?: string };
  /** Ends of the y axis, where they are known beforehand. */
  readonly domain?: readonly [number, number];
}

const WIDTH = 272;
const HEIGHT = 168;
const FRAME = { left: 46, right: 12, top: 12, bottom: 24 };
/** Points beyond this many are averaged in equal runs: more than the pixels can show. */
const MAX_POINTS = 240;

/**
 * A small chart of one or two noisy series: every step as a faint line, their running mean as a strong one.
 * @returns a figure, its size in CSS pixels.
 */
export function renderLineChart(chart: LineChart): Html {
  const finite = chart.series.map((s) => ({ ...s, points: s.points.filter((point) => point.every(Number.isFinite)) }));
  const series = finite.map((s) => ({ ...s, points: thinned(s.points) }));
  const points = series.flatMap((s) => s.points);
  if (points.length === 0)
    return html`<figure class="chart"><figcaption>${chart.title}</figcaption><p class="note">No steps.</p></figure>`;
  const values = points.map(([, y]) => y).concat(chart.reference?.value ?? []);
  const x = exactScale(extent(points.map(([step]) => step)), [FRAME.left, WIDTH - FRAME.right], 4);
  const y = niceScale(chart.domain ?? extent(values), [HEIGHT - FRAME.bottom, FRAME.top], 5);
  return html`<figure class="chart"><figcaption><span>${chart.title}</span>${series.length > 1 && legend(series)}</figcaption>
<svg viewBox="0 0 ${WIDTH} ${HEIGHT}" width="${WIDTH}" height="${HEIGHT}" role="img" aria-label="${describe(chart.spokenTitle, finite)}">
${axes(x, y)}
${chart.reference !== undefined && referenceLine(chart.reference, x, y)}
${series.map((s) => html`<g class="${s.className}">${curve(s.points, x, y)}</g>`)}
</svg></figure>`;
}

function axes(x: Scale, y: Scale): Html {
  const bottom = HEIGHT - FRAME.bottom;
  return html`<g class="grid">${y.ticks.map((tick) => html`<line x1="${FRAME.left}" x2="${WIDTH - FRAME.right}" y1="${px(y(tick))}" y2="${px(y(tick))}"/>`)}</g>
<g class="ticks">${y.ticks.map((tick) => html`<text x="${FRAME.left - 6}" y="${px(y(tick) + 3.5)}" text-anchor="end">${y.format(tick)}</text>`)}
${x.ticks.map((tick) => html`<text x="${px(x(tick))}" y="${bottom + 16}" text-anchor="middle">${x.format(tick)}</text>`)}</g>
<line class="axis" x1="${FRAME.left}" x2="${WIDTH - FRAME.right}" y1="${bottom}" y2="${bottom}"/>`;
}

function referenceLine({ value, label }: NonNullable<LineChart["reference"]>, x: Scale, y: Scale): Html {
  const [left, right] = x.domain.map(x) as [number, number];
  return html`<line class="reference" x1="${px(left)}" x2="${px(right)}" y1="${px(y(value))}" y2="${px(y(value))}"/><text class="reference-label" x="${px(right)}" y="${px(y(value) - 4)}" text-anchor="end">${label}</text>`;
}

function curve(points: readonly Point[], x: Scale, y: Scale): Content {
  const line = (of: readonly Point[]): string => of.map(([step, value]) => `${px(x(step))},${px(y(value))}`).join(" ");
  const window = Math.floor(points.length / 8);
  if (window < 3) return html`<polyline class="mean" points="${line(points)}"/>`;
  return html`<polyline class="each" points="${line(points)}"/><polyline class="mean" points="${line(runningMean(points, window))}"/>`;
}

function legend(series: readonly ChartSeries[]): Html {
  return html`<span class="legend">${series.map((s) => html`<span class="${s.className}"><svg width="18" height="8" aria-hidden="true"><line class="mean" x1="1" x2="17" y1="4" y2="4"/></svg>${s.label}</span>`)}</span>`;
}

/** What a listener hears instead of the drawing: where each series begins and ends. */
function describe(title: string, series: readonly ChartSeries[]): string {
  const ends = series.map(({ label, points }) => {
    const first = points[0];
    const last = points[points.length - 1];
    return first === undefined || last === undefined
      ? label
      : `${label} from ${formatNumber(first[1], 4)} at step ${first[0]} to ${formatNumber(last[1], 4)} at step ${last[0]}`;
  });
  return `${title}: ${ends.join("; ")}`;
}

/**
 * Mean over a centred window. Towards the beginning it narrows on both sides, so that the curve starts at the first step's
 * own value; at the end it loses its right side alone, so that the last step does not decide where the curve ends.
 */
export function runningMean(points: readonly Point[], window: number): Point[] {
  const half = Math.floor(window / 2);
  return points.map(([step], i) => {
    const reach = Math.min(half, i);
    const near = points.slice(i - reach, i + reach + 1);
    return [step, near.reduce((total, [, value]) => total + value, 0) / near.length];
  });
}

/** At most `MAX_POINTS` points, each the mean of a run of equal length. */
export function thinned(points: readonly Point[]): readonly Point[] {
  if (points.length <= MAX_POINTS) return points;
  const run = Math.ceil(points.length / MAX_POINTS);
  return Array.from({ length: Math.ceil(points.length / run) }, (_, i) => {
    const part = points.slice(i * run, (i + 1) * run);
    const mean = (axis: 0 | 1): number => part.reduce((total, point) => total + point[axis], 0) / part.length;
    return [mean(0), mean(1)] as const;
  });
}

function extent(values: readonly number[]): [number, number] {
  return values.reduce(([low, high], value) => [Math.min(low, value), Math.max(high, value)] as [number, number], [
    Number.POSITIVE_INFINITY,
    Number.NEGATIVE_INFINITY,
  ] as [number, number]);
}

/** A coordinate to a hundredth of a pixel. */
export function px(value: number): string {
  return String(Math.round(value * 100) / 100);
}

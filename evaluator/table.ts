import type { EvaluationRow, FloorRow, Measured } from "./evaluation-row.js";
import { columnDecimals, formatInterval, formatNumber, formatPercent, formatShareInterval } from "./format.js";

const NONE = "–";

/**
 * The results as text for a terminal: a row a checkpoint, then the floor of real held-out winners.
 * @param baseline name of the checkpoint that win rates are over.
 * @returns lines joined by newlines, without a newline at the end.
 */
export function renderTable(rows: readonly EvaluationRow[], floor: FloorRow | undefined, baseline: string): string {
  const all: readonly (EvaluationRow | FloorRow)[] = floor === undefined ? rows : [...rows, floor];
  const scores = columnDecimals(all.flatMap(({ score }) => [score.mean, score.median]));
  const similarities = columnDecimals(all.flatMap(({ similarity }) => similarity ?? []));
  const columns = [
    left("checkpoint", [...rows.map(({ name }) => name), "real winners"].slice(0, all.length)),
    right("steps", [...rows.map(({ steps }) => String(steps)), NONE].slice(0, all.length)),
    right(
      "score",
      all.map(({ score }) => formatNumber(score.mean, scores)),
    ),
    right(
      "median",
      all.map(({ score }) => formatNumber(score.median, scores)),
    ),
    ...(all.some(({ similarity }) => similarity !== undefined)
      ? [
          right(
            "similarity",
            all.map(({ similarity }) => (similarity === undefined ? NONE : formatNumber(similarity, similarities))),
          ),
        ]
      : []),
    wins(`wins over ${baseline}`, all, baseline),
    ...distances(
      "KID",
      all.map(({ kid }) => kid),
    ),
    ...distances(
      "CMMD",
      all.map(({ cmmd }) => cmmd),
    ),
  ];
  return columns[0]!
    .map((_, line) =>
      columns
        .map((column) => column[line])
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}

/** A column is its lines: heading, rule, cells, all equally wide. */
type Column = readonly string[];

function left(heading: string, cells: readonly string[]): Column {
  return ruled([heading, ...cells], (text, width) => text.padEnd(width));
}

function right(heading: string, cells: readonly string[]): Column {
  return ruled([heading, ...cells], (text, width) => text.padStart(width));
}

function ruled(texts: readonly string[], pad: (text: string, width: number) => string): Column {
  const width = Math.max(...texts.map((text) => text.length));
  const [heading, ...cells] = texts.map((text) => pad(text, width));
  return [heading!, "─".repeat(width), ...cells];
}

function wins(heading: string, rows: readonly (EvaluationRow | FloorRow)[], baseline: string): Column {
  const cells = rows.map((row) =>
    row.winRate === undefined || ("name" in row && row.name === baseline)
      ? ([NONE, ""] as const)
      : ([formatPercent(row.winRate.value), formatShareInterval(row.winRate)] as const),
  );
  return left(heading, aligned(cells));
}

/** No column at all where nothing was measured. */
function distances(heading: string, values: readonly (Measured | undefined)[]): Column[] {
  if (values.every((measured) => measured === undefined)) return [];
  const decimals = columnDecimals(values.flatMap((measured) => measured?.value ?? []));
  const format = (bound: number): string => formatNumber(bound, decimals);
  const cell = (measured: Measured | undefined) =>
    measured === undefined
      ? ([NONE, ""] as const)
      : ([format(measured.value), formatInterval(measured, format)] as const);
  return [left(heading, aligned(values.map(cell)))];
}

/** Values below each other by their ends, and their intervals likewise. */
function aligned(cells: readonly (readonly [value: string, interval: string])[]): string[] {
  const valueWidth = Math.max(...cells.map(([value]) => value.length));
  const intervalWidth = Math.max(...cells.map(([, interval]) => interval.length));
  return cells.map(([value, interval]) =>
    `${value.padStart(valueWidth)} ${interval.padStart(intervalWidth)}`.trimEnd(),
  );
}

import { SpinError } from "../../core/errors.js";
import type { Measured } from "../evaluation-row.js";
import { columnDecimals, formatNumber, formatPercent, formatShareInterval } from "../format.js";
import { type Html, html } from "./html.js";
import type { Report, ScorerResult } from "./report.js";
import { seriesClass } from "./series.js";

/** A column of the paper's tables: a scorer, or the average over all. */
interface Column {
  readonly name: string;
  readonly results: readonly ScorerResult[];
}

/** The columns of the paper's tables, in its order. @throws SpinError where a scorer has results for other checkpoints */
export function scorerColumns({ scorers, average, checkpoints }: Report): Column[] {
  const columns = [...scorers, ...(average === undefined ? [] : [{ name: "Average", results: average }])];
  for (const { name, results } of columns) {
    if (results.length === checkpoints.length) continue;
    throw new SpinError(
      "invalid",
      `scorer ${name} has ${results.length} results for ${checkpoints.length} checkpoints`,
    );
  }
  return columns;
}

/** The paper's tables 1 to 4: means, medians, win rates over the baseline and over a second checkpoint. */
export function renderPaperTables(report: Report): Html {
  const { baseline, reference } = report;
  return html`<h3>Table 1: mean scores</h3>${scoresTable(report, "mean")}
<h3>Table 2: median scores</h3>${scoresTable(report, "median")}
<h3>Table 3: win rate over ${baseline}</h3>${winsTable(report, "winRate", baseline)}
${reference !== undefined && html`<h3>Table 4: win rate over ${reference}</h3>${winsTable(report, "overReference", reference)}`}
<p class="note">Numbered as the paper's tables. Bold: the best of a column; underlined: the second best. Average: the plain mean over the
scorers, of their scores and of their win rates${report.average === undefined && " (left out: there is one scorer)"}. Brackets hold
95&#8239;% intervals of a paired bootstrap over prompts; ties count half.</p>`;
}

function scoresTable(report: Report, figure: "mean" | "median"): Html {
  const columns = scorerColumns(report).map(({ name, results }) => {
    const values = results.map((result) => result[figure]);
    const decimals = columnDecimals(values);
    return {
      name,
      cells: ranked(values).map(({ value, rank }) => html`<td>${marked(formatNumber(value, decimals), rank)}</td>`),
    };
  });
  return table(report, columns, 1);
}

function winsTable(report: Report, figure: "winRate" | "overReference", over: string): Html {
  const columns = scorerColumns(report).map(({ name, results }) => {
    const rates = results.map((result) => result[figure]);
    const ranks = ranked(rates.map((rate) => rate?.value));
    return { name, cells: rates.map((rate, i) => winCells(rate, ranks[i]!.rank)) };
  });
  return table(report, columns, 2, over);
}

function winCells(rate: Measured | undefined, rank: number): Html {
  if (rate === undefined) return html`<td class="measured">–</td><td class="interval"></td>`;
  return html`<td class="measured">${marked(formatPercent(rate.value), rank)}</td><td class="interval">${formatShareInterval(rate)}</td>`;
}

function table(
  { checkpoints }: Report,
  columns: readonly { readonly name: string; readonly cells: readonly Html[] }[],
  span: number,
  leftOut?: string,
): Html {
  return html`<div class="scroll"><table class="figures paper">
<thead><tr><th scope="col">Checkpoint</th>${columns.map(({ name }) => html`<th scope="col" colspan="${span}">${name}</th>`)}</tr></thead>
<tbody>${checkpoints.map(
    (row, i) =>
      row.name !== leftOut &&
      html`<tr><th scope="row" class="${seriesClass(i)}"><i class="swatch"></i>${row.name}</th>
${columns.map(({ cells }) => cells[i])}</tr>`,
  )}</tbody></table></div>`;
}

/** Each value with its rank among those that are there, 0 the best; equals share one. */
export function ranked<T extends number | undefined>(values: readonly T[]): { value: T; rank: number }[] {
  const distinct = [...new Set(values.filter((value) => value !== undefined))].sort((a, b) => b - a);
  return values.map((value) => ({ value, rank: value === undefined ? -1 : distinct.indexOf(value) }));
}

function marked(text: string, rank: number): Html {
  if (rank === 0) return html`<b>${text}</b>`;
  return rank === 1 ? html`<u>${text}</u>` : html`${text}`;
}

import type { EvaluationRow, FloorRow, Measured } from "../evaluation-row.js";
import {
  columnDecimals,
  formatInterval,
  formatNumber,
  formatPercent,
  formatProbability,
  formatShareInterval,
  formatSigned,
  shortDigest,
} from "../format.js";
import type { Estimate } from "../metrics/bootstrap.js";
import { type Html, html } from "./html.js";
import { renderPaperTables } from "./paper-tables.js";
import { renderByIteration, renderBySteps } from "./progress-charts.js";
import { renderRadar } from "./radar-chart.js";
import type { Report, ReportComparison } from "./report.js";
import { seriesClass } from "./series.js";
import { renderWinRateBars } from "./win-rate-bars.js";
import { renderWinRateChart } from "./win-rate-chart.js";

/** The table of checkpoints with the floor, the paper's tables and figures, and every pair that was compared. */
export function renderResults(report: Report): Html {
  const { checkpoints, floor, baseline, scorers, comparisons, lineage } = report;
  return html`<section><h2>Results</h2>
${resultsTable(checkpoints, floor, baseline)}
<p class="note">Score: ${scorers[0]?.name ?? "the first scorer"}; ↑ higher is better, ↓ lower. Win rate: share of prompts on which a
checkpoint scores above ${baseline}, ties half.${
    checkpoints.some(({ kid }) => kid !== undefined) &&
    ` KID and CMMD: distance to held-out winners${
      floor === undefined
        ? ""
        : "; for the winners themselves, between two halves of them: the floor that no checkpoint can be expected to pass"
    }.`
  } Brackets hold 95&#8239;% intervals of a paired bootstrap over prompts; a win rate is set bold where its interval leaves out
one half.</p>
${renderPaperTables(report)}
${checkpoints.length > 1 && renderWinRateBars(report)}
${renderByIteration(report)}
${renderRadar(report)}
${renderBySteps(report)}
<h3>Win rate over ${baseline} by steps</h3>
${renderWinRateChart(checkpoints, lineage, baseline)}
${
  comparisons.length > 0 &&
  html`<h3>Pair by pair</h3>${comparisonsTable(comparisons)}
<p class="note">Both sides have the same prompts and noise. Sign test: two-sided, exact, ties left out. A negative difference in KID: the first is nearer to
the winners. The last column says what the win rate's interval shows, nothing more.</p>`
}
</section>`;
}

function resultsTable(rows: readonly EvaluationRow[], floor: FloorRow | undefined, baseline: string): Html {
  const all: readonly (EvaluationRow | FloorRow)[] = floor === undefined ? rows : [...rows, floor];
  const scores = columnDecimals(all.flatMap(({ score }) => [score.mean, score.median]));
  const similarities = columnDecimals(all.flatMap(({ similarity }) => similarity ?? []));
  const kid = columnDecimals(all.flatMap((row) => row.kid?.value ?? []));
  const cmmd = columnDecimals(all.flatMap((row) => row.cmmd?.value ?? []));
  const isEmbedded = all.some(({ similarity }) => similarity !== undefined);
  const hasDistances = all.some((row) => row.kid !== undefined);
  const figures = (
    row: EvaluationRow | FloorRow,
    wins: Html,
  ): Html => html`<td>${formatNumber(row.score.mean, scores)}</td>
<td>${formatNumber(row.score.median, scores)}</td>${
    isEmbedded && html`<td>${row.similarity === undefined ? "–" : formatNumber(row.similarity, similarities)}</td>`
  }${wins}
${hasDistances && [measuredCells(row.kid, kid), measuredCells(row.cmmd, cmmd)]}`;
  return html`<div class="scroll"><table class="figures results">
<thead><tr><th scope="col">Checkpoint</th><th scope="col">Steps</th><th scope="col">Score&nbsp;↑<small>mean</small></th>
<th scope="col"><small>median</small></th>${isEmbedded && html`<th scope="col">Similarity&nbsp;↑</th>`}<th scope="col" colspan="2">Wins over ${baseline}&nbsp;↑</th>
${hasDistances && html`<th scope="col" colspan="2">KID&nbsp;↓</th><th scope="col" colspan="2">CMMD&nbsp;↓</th>`}</tr></thead>
<tbody>${rows.map(
    (row, i) => html`<tr><th scope="row" class="${seriesClass(i)}"><i class="swatch"></i>${row.name}
<code title="${row.digest}">${shortDigest(row.digest)}</code></th><td>${row.steps}</td>
${figures(row, row.name === baseline ? noCells() : shareCells(row.winRate))}</tr>`,
  )}</tbody>
${
  floor !== undefined &&
  html`<tfoot><tr><th scope="row" class="neutral"><i class="swatch"></i>real winners</th><td>–</td>
${figures(floor, floor.winRate === undefined ? noCells() : shareCells(floor.winRate))}</tr></tfoot>`
}
</table></div>`;
}

function comparisonsTable(comparisons: readonly ReportComparison[]): Html {
  const scores = columnDecimals(comparisons.map(({ meanDifference }) => meanDifference.value));
  const kid = columnDecimals(comparisons.flatMap(({ kidDifference }) => kidDifference?.value ?? []));
  return html`<div class="scroll"><table class="figures pairs">
<thead><tr><th scope="col">Pair</th><th scope="col" colspan="2">Win rate</th><th scope="col">Sign test</th><th scope="col" colspan="2">Score difference</th>
<th scope="col" colspan="2">KID difference</th><th scope="col" class="verdict">By win rate</th></tr></thead>
<tbody>${comparisons.map(
    (
      pair,
    ) => html`<tr><th scope="row">${pair.a} <span class="over">over</span> ${pair.b}</th>${shareCells(pair.winRate)}
<td>${pair.signTest === undefined ? "–" : formatProbability(pair.signTest)}</td>${measuredCells(pair.meanDifference, scores, formatSigned)}
${measuredCells(pair.kidDifference, kid, formatSigned)}<td class="verdict">${verdict(pair)}</td></tr>`,
  )}</tbody></table></div>`;
}

function verdict({ a, b, winRate }: ReportComparison): Html {
  if (winRate.low > 0.5) return html`${a} better`;
  if (winRate.high < 0.5) return html`${b} better`;
  return html`<span class="over">not told apart</span>`;
}

function shareCells(share: Estimate): Html {
  return html`<td class="measured">${emphasised(share, formatPercent(share.value))}</td><td class="interval">${formatShareInterval(share)}</td>`;
}

function emphasised({ low, high }: Estimate, text: string): Html {
  return low > 0.5 || high < 0.5 ? html`<b>${text}</b>` : html`${text}`;
}

function measuredCells(measured: Measured | undefined, decimals: number, format = formatNumber): Html {
  if (measured === undefined) return noCells();
  const interval = formatInterval(measured, (bound) => format(bound, decimals));
  return html`<td class="measured">${format(measured.value, decimals)}</td><td class="interval">${interval}</td>`;
}

function noCells(): Html {
  return html`<td class="measured">–</td><td class="interval"></td>`;
}

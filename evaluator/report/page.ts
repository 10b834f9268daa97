import { formatDuration, formatPercent } from "../format.js";
import { type Html, html } from "./html.js";
import { renderLineage, renderSettings } from "./lineage-section.js";
import { renderPictures } from "./pictures-section.js";
import type { Report } from "./report.js";
import { renderResults } from "./results-section.js";
import { STYLE } from "./style.js";
import { renderTimeline } from "./timeline-section.js";
import { renderTraining } from "./training-section.js";

/**
 * The report as one HTML file that needs nothing else: no scripts, no fonts, no network. Readable on screen in light and
 * dark, and on paper.
 * @throws SpinError `invalid` for a picture that is not in base64.
 */
export function renderReport(report: Report): string {
  const names = report.checkpoints.map(({ name }) => name);
  return html`<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
<title>${report.title}</title>
<style>${STYLE}</style></head>
<body><main>
<header><h1>${report.title}</h1><p class="lead">${lead(report)}</p></header>
${renderResults(report)}
${report.pictures.rows.length > 0 && renderPictures(report.pictures, names)}
${report.iterations.length > 0 && renderTraining(report, names)}
${report.timeline !== undefined && report.timeline.lanes.length > 0 && renderTimeline(report.timeline)}
${report.lineage.length > 0 && renderLineage(report.lineage, names)}
${protocol(report)}
</main></body></html>
`.html;
}

function lead({ checkpoints, baseline, seconds }: Report): string {
  const others = checkpoints.map(({ name }) => name).filter((name) => name !== baseline);
  return `${[baseline, ...others].join(", ")} · ${formatDuration(seconds)}`;
}

function protocol({ protocol: settings, scorers, fingerprint, seconds }: Report): Html {
  return html`<section><h2>Protocol</h2><dl class="protocol">${renderSettings(settings)}
${scorers.map(
  ({ name, digest, pairAccuracy }) =>
    html`<dt>scorer ${name}</dt><dd>${
      pairAccuracy !== undefined && html`orders ${formatPercent(pairAccuracy)} of held-out pairs rightly · `
    }<code>${digest}</code></dd>`,
)}
<dt>fingerprint</dt><dd><code>${fingerprint}</code></dd><dt>time</dt><dd>${formatDuration(seconds)}</dd></dl></section>`;
}

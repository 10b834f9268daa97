import { shortDigest } from "../format.js";
import { type Html, html } from "./html.js";
import type { LineageEntry, Settings } from "./report.js";
import { seriesClassOf } from "./series.js";

/** Which checkpoint was trained from which, with what, and the digests to prove it. */
export function renderLineage(lineage: readonly LineageEntry[], checkpoints: readonly string[]): Html {
  const names = new Set(lineage.map(({ name }) => name));
  const roots = lineage.filter(({ parent }) => parent === undefined || !names.has(parent));
  return html`<section><h2>Lineage</h2>
<ul class="tree">${roots.map((root) => branch(root, lineage, checkpoints))}</ul>
<div class="entries">${lineage.map((entry) => details(entry, checkpoints))}</div></section>`;
}

function branch(entry: LineageEntry, lineage: readonly LineageEntry[], checkpoints: readonly string[]): Html {
  const children = lineage.filter(({ parent, name }) => parent === entry.name && name !== entry.name);
  return html`<li class="${seriesClassOf(entry.name, checkpoints)}"><span class="node"><i class="swatch"></i><b>${entry.name}</b>
<span class="over">${entry.steps} steps</span> <code>${shortDigest(entry.digest)}</code></span>
${children.length > 0 && html`<ul>${children.map((child) => branch(child, lineage, checkpoints))}</ul>`}</li>`;
}

function details(entry: LineageEntry, checkpoints: readonly string[]): Html {
  return html`<article class="${seriesClassOf(entry.name, checkpoints)}"><h3><i class="swatch"></i>${entry.name}${
    entry.parent !== undefined && html` <span class="over">from ${entry.parent}</span>`
  }</h3>
<dl><dt>weights</dt><dd><code>${entry.digest}</code></dd>
${entry.dataDigest !== undefined && html`<dt>data</dt><dd><code>${entry.dataDigest}</code></dd>`}
${entry.seed !== undefined && html`<dt>seed</dt><dd>${entry.seed}</dd>`}
<dt>steps</dt><dd>${entry.steps} since the base</dd></dl>
<dl>${renderSettings(entry.settings)}</dl></article>`;
}

/** Terms and values of a definition list. */
export function renderSettings(settings: Settings): Html[] {
  return Object.entries(settings).map(([name, value]) => html`<dt>${name}</dt><dd>${value}</dd>`);
}

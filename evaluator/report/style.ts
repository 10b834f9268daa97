import { trusted } from "./html.js";

/** The report's style sheet: system fonts, one accent a checkpoint (distinct also to the colour-blind), paper and dark mode. */
export const STYLE = trusted(`
:root {
  color-scheme: light;
  --paper: #ffffff; --ink: #1b1d22; --soft: #5d636e; --rule: #d9dce2; --faint: #eef0f3;
  --series-0: #6f7580; --series-1: #c2571a; --series-2: #1f6fb2; --series-3: #0d8062;
  --series-4: #9a4f96; --series-5: #a47a00; --series-6: #4b4fbf; --series-7: #b0304f;
  --series-8: #2b8a9e; --series-9: #7a5230; --series-10: #5f8a1f; --series-11: #c0589a;
}
@media screen and (prefers-color-scheme: dark) {
  :root {
    color-scheme: dark;
    --paper: #14161a; --ink: #e4e6ea; --soft: #9aa1ad; --rule: #33373f; --faint: #22252b;
    --series-0: #9aa1ad; --series-1: #f0905a; --series-2: #6cb2ee; --series-3: #4cc79f;
    --series-4: #d492d0; --series-5: #d9b13c; --series-6: #9a9df2; --series-7: #ef7f98;
    --series-8: #63c6d9; --series-9: #c99a70; --series-10: #a3cf5b; --series-11: #f19fd2;
  }
}
* { box-sizing: border-box; }
html { background: var(--paper); }
body {
  margin: 0; color: var(--ink); -webkit-text-size-adjust: 100%;
  font: 15px/1.5 Inter, "Helvetica Neue", "Segoe UI", Roboto, Arial, sans-serif;
}
main { max-width: 1184px; margin: 0 auto; padding: 48px 32px 64px; }
h1, h2, h3 { line-height: 1.25; font-weight: 600; text-wrap: balance; }
h1 { font-size: 28px; letter-spacing: -0.015em; margin: 0; }
h2 { font-size: 19px; letter-spacing: -0.005em; margin: 52px 0 16px; padding-top: 14px; border-top: 1px solid var(--rule); }
h3 { font-size: 15px; margin: 32px 0 10px; }
.lead { margin: 6px 0 0; color: var(--soft); }
header + section h2 { margin-top: 28px; }
.note { max-width: 78ch; margin: 12px 0 0; color: var(--soft); font-size: 13px; text-wrap: pretty; }
.over { color: var(--soft); font-weight: 400; }
sub { font-size: 0.75em; line-height: 0; }
code { font: 0.86em/1.4 ui-monospace, "SF Mono", Menlo, Consolas, "Liberation Mono", monospace; color: var(--soft); overflow-wrap: anywhere; }

.s0 { --c: var(--series-0); } .s1 { --c: var(--series-1); } .s2 { --c: var(--series-2); } .s3 { --c: var(--series-3); }
.s4 { --c: var(--series-4); } .s5 { --c: var(--series-5); } .s6 { --c: var(--series-6); } .s7 { --c: var(--series-7); }
.s8 { --c: var(--series-8); } .s9 { --c: var(--series-9); } .s10 { --c: var(--series-10); } .s11 { --c: var(--series-11); }
.neutral { --c: transparent; }
.k0 { --c: var(--series-0); } .k1 { --c: var(--series-2); } .k2 { --c: var(--series-3); } .k3 { --c: var(--rule); } .k4 { --c: var(--series-1); } .k5 { --c: var(--series-4); } .k6 { --c: var(--series-5); } .k7 { --c: var(--series-6); }
.swatch { display: inline-block; width: 9px; height: 9px; margin-right: 8px; border-radius: 50%; background: var(--c); print-color-adjust: exact; -webkit-print-color-adjust: exact; }
.swatch.square { border-radius: 2px; }
.neutral .swatch { border: 1.5px solid var(--soft); }

.scroll { overflow-x: auto; }
table { border-collapse: collapse; }
.figures { width: 100%; font-variant-numeric: tabular-nums lining-nums; }
.figures th, .figures td { padding: 8px 0 8px 20px; text-align: right; white-space: nowrap; vertical-align: baseline; font-weight: 400; }
.figures th:first-child { padding-left: 0; text-align: left; }
.figures thead th { color: var(--soft); font-size: 13px; vertical-align: bottom; border-bottom: 1px solid var(--ink); }
.figures thead th[colspan] { text-align: left; }
.figures thead th[scope="colgroup"] { text-align: center; border-bottom: 1px solid var(--rule); }
.figures thead tr + tr th:first-child { padding-left: 20px; text-align: right; }
.figures.paper { width: auto; min-width: 50%; }
.figures u { text-underline-offset: 3px; }
.figures small { display: block; font-size: 12px; color: var(--soft); }
.figures tbody tr + tr > * { border-top: 1px solid var(--faint); }
.figures tbody th { font-weight: 600; }
.figures tbody th code { margin-left: 8px; font-weight: 400; }
.figures tfoot > tr > * { border-top: 1px solid var(--ink); color: var(--soft); }
.figures .interval { padding-left: 8px; text-align: left; color: var(--soft); font-size: 13px; }
.figures .measured { width: 1%; }
.figures .verdict, .figures thead .verdict { text-align: left; }

figure { margin: 0; }
.chart svg { display: block; max-width: 100%; height: auto; overflow: visible; }
.chart figcaption { display: flex; flex-wrap: wrap; gap: 0 14px; justify-content: space-between; margin-bottom: 4px; font-size: 13px; }
.chart text { font-size: 11px; fill: var(--soft); font-variant-numeric: tabular-nums; }
.grid line { stroke: var(--faint); }
.axis { stroke: var(--soft); }
.reference { stroke: var(--soft); stroke-dasharray: 2 3; }
.each, .mean { fill: none; stroke: var(--c); stroke-linejoin: round; stroke-linecap: round; }
.each { stroke-width: 1; opacity: 0.35; }
.mean { stroke-width: 2; }
.dashed .mean { stroke-dasharray: 5 4; stroke-linecap: butt; }
.bar { fill: none; stroke: var(--c); stroke-width: 1.5; }
.chart circle { fill: var(--c); stroke: var(--paper); stroke-width: 1.5; }
.chart text.name { font-size: 13px; font-weight: 600; fill: var(--c); paint-order: stroke; stroke: var(--paper); stroke-width: 4px; stroke-linejoin: round; }
.chart text.reference-label { paint-order: stroke; stroke: var(--paper); stroke-width: 3px; }
.fill { fill: var(--c); print-color-adjust: exact; -webkit-print-color-adjust: exact; }
.whisker { stroke: var(--ink); stroke-width: 1.25; fill: none; }
.area { fill: var(--c); fill-opacity: 0.08; stroke: var(--c); stroke-width: 2; stroke-linejoin: round; }
.grid polygon { fill: none; stroke: var(--faint); }
.chart .axis-name { font-size: 12px; font-weight: 600; fill: var(--ink); }
.panels { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(460px, 100%), 1fr)); gap: 16px; }
.chart text.lane { font-size: 12.5px; fill: var(--ink); }
.chart text.in { font-size: 11.5px; fill: var(--paper); }
.timeline svg { max-width: none; }
.legend.wrap { display: flex; flex-wrap: wrap; gap: 4px 16px; margin: 10px 0 0; font-size: 13px; }
.legend { display: inline-flex; gap: 12px; color: var(--soft); }
.legend svg { display: inline-block; margin-right: 5px; vertical-align: 1px; }
.charts { display: grid; grid-template-columns: repeat(4, minmax(0, 272px)); gap: 16px 10px; }
@media screen and (max-width: 1000px) { .charts { grid-template-columns: repeat(2, minmax(0, 272px)); } }
@media screen and (max-width: 560px) { .charts { grid-template-columns: minmax(0, 340px); } main { padding: 24px 16px 48px; } }

.pictures { width: 100%; table-layout: fixed; }
.pictures thead th { position: sticky; top: 0; padding: 10px 6px; background: var(--paper); color: var(--soft); font-size: 13px; font-weight: 400; text-align: center; box-shadow: 0 1px 0 var(--ink); z-index: 1; }
.pictures thead th:first-child, .pictures tbody th { width: 19%; padding-left: 0; text-align: left; }
.pictures tbody th { padding: 10px 16px 10px 0; font-weight: 400; vertical-align: middle; text-wrap: balance; overflow-wrap: break-word; }
.pictures td { padding: 10px 6px; text-align: center; vertical-align: middle; }
.pictures tbody tr + tr > * { border-top: 1px solid var(--faint); }
.pictures img { display: block; width: 100%; max-width: 144px; height: auto; margin: 0 auto; border-radius: 4px; }
.pictures small { display: block; margin-top: 4px; color: var(--soft); font-size: 12px; font-variant-numeric: tabular-nums; }

.tree, .tree ul { list-style: none; margin: 0; padding: 0; }
.tree ul { margin-left: 4px; }
.tree ul li { position: relative; padding-left: 24px; }
.tree ul li::before { content: ""; position: absolute; left: 0; top: 0; width: 16px; height: 16px; border-left: 1.5px solid var(--rule); border-bottom: 1.5px solid var(--rule); border-bottom-left-radius: 6px; }
.tree ul li:not(:last-child)::after { content: ""; position: absolute; left: 0; top: 0; bottom: 0; border-left: 1.5px solid var(--rule); }
.node { display: inline-block; padding: 4px 0; }
.node code { margin-left: 6px; }
.entries { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(480px, 100%), 1fr)); gap: 4px 40px; margin-top: 12px; }
dl { display: grid; grid-template-columns: max-content minmax(0, 1fr); gap: 3px 16px; margin: 0; font-size: 13px; font-variant-numeric: tabular-nums; }
dt { color: var(--soft); } dd { margin: 0; overflow-wrap: anywhere; }
dd code { font-size: 10.4px; }
dl + dl { margin-top: 6px; }
.entries h3 { margin: 18px 0 8px; }
.protocol { max-width: 78ch; }

@page { size: A4; margin: 15mm 14mm; }
@media print {
  body { font-size: 9.5pt; }
  main { max-width: none; padding: 0; }
  h2 { margin-top: 26px; }
  h1, h2, h3 { break-after: avoid; }
  tr, figure, article, .iteration, .tree li { break-inside: avoid; }
  thead { display: table-header-group; }
  tfoot { display: table-row-group; }
  .scroll { overflow: visible; }
  .figures { font-size: 8pt; }
  .figures thead th, .figures small, .figures .interval { font-size: 7.5pt; }
  .figures th, .figures td { padding: 5px 0 5px 10px; }
  .figures .interval { padding-left: 4px; }
  .figures.paper { font-size: 7.5pt; }
  .figures.paper td, .figures.paper thead th { padding-left: 6px; }
  .panels { grid-template-columns: 1fr 1fr; }
  .timeline svg { width: 100%; }
  .figures tbody th code { display: none; }
  .note { font-size: 8.5pt; max-width: none; }
  dl { font-size: 7.5pt; max-width: none; }
  .entries { grid-template-columns: 1fr 1fr; gap: 2px 8mm; }
  dd code { font-size: 6.5pt; }
  .charts { grid-template-columns: repeat(2, minmax(0, 300px)); }
  .pictures thead th { position: static; box-shadow: none; border-bottom: 1px solid var(--ink); }
  .pictures img { max-width: 27mm; print-color-adjust: exact; }
  .pictures td, .pictures tbody th { padding-top: 6px; padding-bottom: 6px; }
}
`);

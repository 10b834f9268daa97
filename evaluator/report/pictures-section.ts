import { SpinError } from "../../core/errors.js";
import { columnDecimals, formatNumber } from "../format.js";
import { type Html, html } from "./html.js";
import type { Picture, PictureGrid } from "./report.js";
import { seriesClassOf } from "./series.js";

/** The grid of pictures: a row a prompt, a column a source. */
export function renderPictures({ columns, rows }: PictureGrid, checkpoints: readonly string[]): Html {
  const scores = rows.flatMap(({ pictures }) => pictures.flatMap((picture) => picture?.score ?? []));
  const decimals = columnDecimals(scores);
  return html`<section><h2>Figure 2: pictures</h2>
<table class="pictures"><thead><tr><th scope="col">Prompt</th>
${columns.map((name) => html`<th scope="col" class="${seriesClassOf(name, checkpoints)}"><i class="swatch"></i>${name}</th>`)}</tr></thead>
<tbody>${rows.map(
    ({ prompt, pictures }) => html`<tr><th scope="row">${prompt}</th>
${columns.map((name, i) => html`<td>${cell(pictures[i] ?? null, name, prompt, decimals)}</td>`)}</tr>`,
  )}</tbody></table>
<p class="note">One noise a row, the same for every checkpoint${scores.length > 0 && "; the figure below a picture is its score"}.</p></section>`;
}

function cell(picture: Picture | null, source: string, prompt: string, decimals: number): Html {
  if (picture === null) return html`<span class="over">–</span>`;
  if (!/^[A-Za-z0-9+/]+=*$/.test(picture.png)) {
    throw new SpinError("invalid", `the picture of ${source} for "${prompt}" is not in base64`);
  }
  return html`<img src="data:image/png;base64,${picture.png}" alt="${source}: ${prompt}">${
    picture.score !== undefined && html`<small>${formatNumber(picture.score, decimals)}</small>`
  }`;
}

import sharp from "sharp";
import { SpinError } from "../errors.js";
import type { RgbImage } from "./image.js";

export interface ContactSheetRow {
  /** Written to the left of the row; needs a font on the machine, without one it stays blank. */
  readonly label?: string;
  readonly images: readonly RgbImage[];
}

export interface ContactSheetOptions {
  /** Written above the columns. */
  readonly columnLabels?: readonly string[];
  /** Whole number of screen pixels per picture pixel, 1 or more. */
  readonly scale?: number;
}

const GAP = 4;
const FONT_SIZE = 12;
const LINE_HEIGHT = 18;
/** A generous estimate: SVG text is not measured before it is drawn. */
const CHARACTER_WIDTH = 7;

/**
 * Pictures of one size in a grid on white, rows by columns.
 * @throws SpinError `invalid` where there are no pictures, or they differ in size.
 */
export async function contactSheet(
  rows: readonly ContactSheetRow[],
  options: ContactSheetOptions = {},
): Promise<RgbImage> {
  const { columnLabels = [], scale = 1 } = options;
  const first = rows.find((row) => row.images.length > 0)?.images[0];
  if (first === undefined) throw new SpinError("invalid", "a contact sheet needs at least one picture");
  const labelWidth = Math.max(...rows.map(({ label = "" }) => label.length)) * CHARACTER_WIDTH;
  const left = labelWidth === 0 ? GAP : labelWidth + 2 * GAP;
  const top = columnLabels.length === 0 ? GAP : LINE_HEIGHT + GAP;
  const [cellWidth, cellHeight] = [first.width * scale + GAP, first.height * scale + GAP];
  const width = left + Math.max(columnLabels.length, ...rows.map((row) => row.images.length)) * cellWidth;
  const height = top + rows.length * cellHeight;
  const sheet = { width, height, data: new Uint8Array(3 * width * height).fill(255) };

  const texts: string[] = columnLabels.map((label, column) => text(label, left + column * cellWidth, FONT_SIZE + GAP));
  rows.forEach(({ label = "", images }, row) => {
    const y = top + row * cellHeight;
    if (label !== "") texts.push(text(label, GAP, y + (first.height * scale + FONT_SIZE) / 2));
    images.forEach((image, column) => {
      if (image.width !== first.width || image.height !== first.height) {
        throw new SpinError(
          "invalid",
          `pictures of a contact sheet have one size: ${first.width}×${first.height}, not ${image.width}×${image.height}`,
        );
      }
      paste(image, sheet, left + column * cellWidth, y, scale);
    });
  });
  if (texts.length === 0) return sheet;
  const overlay = `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}">${texts.join("")}</svg>`;
  const data = await sharp(sheet.data, { raw: { width, height, channels: 3 } })
    .composite([{ input: Buffer.from(overlay) }])
    .removeAlpha()
    .raw()
    .toBuffer();
  return { width, height, data };
}

function text(label: string, x: number, y: number): string {
  const escaped = label.replace(/[&<>]/g, (character) => `&#${character.charCodeAt(0)};`);
  return `<text x="${x}" y="${y}" font-family="sans-serif" font-size="${FONT_SIZE}">${escaped}</text>`;
}

/** Copies a picture into the sheet, each pixel as a square of `scale`. */
function paste(image: RgbImage, sheet: RgbImage, left: number, top: number, scale: number): void {
  for (let y = 0; y < image.height * scale; y++) {
    for (let x = 0; x < image.width * scale; x++) {
      const from = 3 * (Math.floor(y / scale) * image.width + Math.floor(x / scale));
      sheet.data.set(image.data.subarray(from, from + 3), 3 * ((top + y) * sheet.width + left + x));
    }
  }
}

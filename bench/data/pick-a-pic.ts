import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { parquetWriteBuffer } from "hyparquet-writer";
import sharp from "sharp";

/** A row of Pick-a-Pic, as much of it as tests and measurements care for. */
export interface PickAPicRow {
  readonly caption: string | undefined;
  /** label_0; undefined: nobody has judged. */
  readonly label: number | undefined;
  readonly jpg_0: Uint8Array;
  readonly jpg_1: Uint8Array;
}

/** A JPEG of one shape on a ground whose colours tell the number. */
export function numberedJpeg(number: number, side = 24): Promise<Uint8Array> {
  const colour = (seed: number) => `rgb(${(seed * 37) % 256},${(seed * 71) % 256},${(seed * 113) % 256})`;
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" width="${side}" height="${side}"><rect width="100%" height="100%" fill="${colour(
    number,
  )}"/><circle cx="${side / 2}" cy="${side / 3}" r="${side / 4}" fill="${colour(number + 5)}"/></svg>`;
  return sharp(Buffer.from(svg)).jpeg().toBuffer();
}

/** Rows of which every fifth is a tie, with captions that repeat after `captions`. */
export async function numberedRows(count: number, { captions = count, side = 24 } = {}): Promise<PickAPicRow[]> {
  const rows: PickAPicRow[] = [];
  for (let i = 0; i < count; i++) {
    const [jpg_0, jpg_1] = [await numberedJpeg(2 * i, side), await numberedJpeg(2 * i + 1, side)];
    const label = i % 5 === 4 ? 0.5 : i % 2;
    rows.push({ caption: `a picture of ${i % captions} birds`, label, jpg_0, jpg_1 });
  }
  return rows;
}

/** Writes a parquet file in the columns of Pick-a-Pic v2, but for those named in `without`. */
export async function writePickAPic(
  folder: string,
  name: string,
  rows: readonly PickAPicRow[],
  { without = [] as readonly string[], rowGroupSize = 10, numbersForCaptions = false } = {},
): Promise<void> {
  const labels = (label: number | undefined) => (label === undefined ? null : label);
  const captions = numbersForCaptions
    ? ({ name: "caption", type: "INT32", data: rows.map((_, i) => i) } as const)
    : ({ name: "caption", type: "STRING", data: rows.map(({ caption }) => caption ?? null), nullable: true } as const);
  const columns = [
    { name: "are_different", type: "BOOLEAN", data: rows.map(() => true) },
    captions,
    { name: "has_label", type: "BOOLEAN", data: rows.map(({ label }) => label !== undefined) },
    { name: "jpg_0", type: "BYTE_ARRAY", data: rows.map(({ jpg_0 }) => jpg_0) },
    { name: "jpg_1", type: "BYTE_ARRAY", data: rows.map(({ jpg_1 }) => jpg_1) },
    { name: "label_0", type: "DOUBLE", data: rows.map(({ label }) => labels(label)), nullable: true },
    {
      name: "label_1",
      type: "DOUBLE",
      data: rows.map(({ label }) => (label === undefined ? null : 1 - label)),
      nullable: true,
    },
    { name: "ranking_id", type: "INT64", data: rows.map((_, i) => BigInt(9_000_000_000 + i)) },
  ] as const;
  const columnData = columns.filter((column) => !without.includes(column.name)).map((column) => ({ ...column }));
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, name), Buffer.from(parquetWriteBuffer({ columnData, rowGroupSize })));
}

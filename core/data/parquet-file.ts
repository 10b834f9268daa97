import { stat } from "node:fs/promises";
import { type AsyncBuffer, asyncBufferFromFile, type FileMetaData, parquetMetadataAsync, parquetScan } from "hyparquet";
import { parquetHeader } from "hyparquet/src/column.js";
import { compressors } from "hyparquet-compressors";
import { toIoError } from "../checkpoint/io-errors.js";
import { SpinError } from "../errors.js";

/** Where a data page lies: hyparquet's form of an entry of parquet's OffsetIndex. */
interface PageLocation {
  readonly offset: bigint;
  /** With its header. */
  readonly compressed_page_size: number;
  readonly first_row_index: bigint;
}

/** Pages of a column: per row group, in order, [offset in the file, bytes with the header, first row within the group]. */
export type ColumnPages = readonly (readonly (readonly [offset: number, bytes: number, firstRow: number])[])[];

/** Headers are some dozen bytes, more where they hold statistics. */
const HEADER_BYTES = 4096;
const MAX_HEADER_BYTES = 1 << 24;

/** A parquet file, open for reading single columns. Format: https://parquet.apache.org/docs/file-format/ */
export class ParquetFile {
  readonly path: string;
  readonly #file: AsyncBuffer;
  readonly #metadata: FileMetaData;

  private constructor(path: string, file: AsyncBuffer, metadata: FileMetaData) {
    this.path = path;
    this.#file = file;
    this.#metadata = metadata;
  }

  /** @throws SpinError `notFound` or `corrupt` naming the file */
  static async open(path: string): Promise<ParquetFile> {
    await stat(path).catch((error: unknown) => {
      throw toIoError(error, path, "read");
    });
    try {
      const file = await asyncBufferFromFile(path);
      return new ParquetFile(path, file, await parquetMetadataAsync(file));
    } catch (cause) {
      throw unreadable(path, cause);
    }
  }

  get rows(): number {
    return Number(this.#metadata.num_rows);
  }

  /** Rows of each row group. */
  get groups(): number[] {
    return this.#metadata.row_groups.map(({ num_rows }) => Number(num_rows));
  }

  /** Names of the columns at the top. */
  get columns(): string[] {
    const [root, ...elements] = this.#metadata.schema;
    const names: string[] = [];
    for (let i = 0, left = root?.num_children ?? 0; left > 0 && i < elements.length; left--) {
      names.push(elements[i]!.name);
      i = afterElement(elements, i);
    }
    return names;
  }

  /** @throws SpinError `invalid` naming the file, the columns that are missing and those that are there */
  requireColumns(names: readonly string[]): void {
    const missing = names.filter((name) => !this.columns.includes(name));
    if (missing.length === 0) return;
    const [what, columns] = [missing.length > 1 ? "columns" : "column", this.columns.join(", ") || "none"];
    throw new SpinError("invalid", `${this.path}: expected the ${what} ${missing.join(", ")}, there are ${columns}`, {
      file: this.path,
      field: missing[0],
      remedy: "take the files of Pick-a-Pic as they are published, or rename the columns",
    });
  }

  /**
   * The values of a column, one per row; null where there is none. Binary columns give bytes.
   * @param rows from the first to before the second; default: all
   * @param pages as `pages` found them: then only those are read that hold the rows
   * @throws SpinError `corrupt` naming file and column
   */
  async read(column: string, [rowStart, rowEnd] = [0, this.rows], pages?: ColumnPages): Promise<unknown[]> {
    const pageLocationsByGroup = pages?.map((group) => ({ [column]: group.map(toLocation) }));
    const options = { file: this.#file, metadata: this.#metadata, columns: [column], compressors, utf8: false };
    try {
      // The locations are what a scan itself finds in an offset index, where there is one.
      const scan = await parquetScan({ ...options, pageLocationsByGroup } as typeof options);
      const values: unknown[] = [];
      for (const group of scan.ranges) {
        const [start, end] = [Math.max(rowStart, group.rowStart), Math.min(rowEnd, group.rowEnd)];
        if (start >= end) continue;
        for (const value of await scan.readColumn({ column, rowStart: start, rowEnd: end })) values.push(value);
      }
      return values;
    } catch (cause) {
      throw unreadable(`${this.path}, column ${column}, rows ${rowStart} to ${rowEnd - 1}`, cause, this.path);
    }
  }

  /**
   * Finds the pages of a column that is neither nested nor repeated. Files seldom have an index of them, and without one a picture
   * costs reading its whole row group.
   * @throws SpinError `corrupt` naming the file
   */
  async pages(column: string): Promise<ColumnPages> {
    const found: (readonly [number, number, number])[][] = [];
    for (const { columns, num_rows } of this.#metadata.row_groups) {
      const chunk = columns.find(({ meta_data }) => meta_data?.path_in_schema.join(".") === column)?.meta_data;
      if (chunk === undefined) throw unreadable(this.path, new Error(`no column ${column} in a row group`));
      const start = Number(chunk.dictionary_page_offset || chunk.data_page_offset);
      const end = start + Number(chunk.total_compressed_size);
      const pages: (readonly [number, number, number])[] = [];
      let row = 0;
      for (let offset = start; offset < end && row < Number(num_rows); ) {
        const { header, length } = await this.#pageHeader(offset, end);
        const bytes = length + header.compressed_page_size;
        const values = header.data_page_header?.num_values ?? header.data_page_header_v2?.num_values;
        if (values !== undefined) {
          pages.push([offset, bytes, row]);
          row += values;
        }
        if (bytes <= 0) throw unreadable(this.path, new Error(`a page of ${bytes} bytes at ${offset}`));
        offset += bytes;
      }
      found.push(pages);
    }
    return found;
  }

  async #pageHeader(offset: number, end: number) {
    for (let bytes = HEADER_BYTES; ; bytes *= 16) {
      const whole = offset + bytes >= end;
      const reader = {
        view: new DataView(await this.#file.slice(offset, Math.min(end, offset + bytes))),
        offset: 0,
      };
      try {
        return { header: parquetHeader(reader), length: reader.offset };
      } catch (cause) {
        if (whole || bytes >= MAX_HEADER_BYTES) throw unreadable(this.path, cause);
      }
    }
  }
}

function toLocation([offset, bytes, row]: readonly [number, number, number]): PageLocation {
  return { offset: BigInt(offset), compressed_page_size: bytes, first_row_index: BigInt(row) };
}

/** Place after an element and all below it. */
function afterElement(elements: readonly { readonly num_children?: number }[], i: number): number {
  let next = i + 1;
  for (let children = elements[i]!.num_children ?? 0; children > 0; children--) next = afterElement(elements, next);
  return next;
}

function unreadable(what: string, cause: unknown, file = what): SpinError {
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new SpinError("corrupt", `${what} is not readable parquet (${reason})`, {
    file,
    cause,
    remedy: "download or copy it again",
  });
}

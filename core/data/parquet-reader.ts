import { stat } from "node:fs/promises";
import {
  type AsyncBuffer,
  asyncBufferFromFile,
  type FileMetaData,
  type PageHeader,
  parquetMetadataAsync,
  parquetScan,
  parquetSchema,
} from "hyparquet";
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

/** What a page may grow to where its compressed form does not stand for it. */
const MAX_PAGE_BYTES = 1 << 26;
const MAX_PAGE_ROWS = 1 << 22;
/** No page of pictures or captions is compressed beyond this: a larger one is an error, not an allocation. */
const MAX_PAGE_RATIO = 64;

/**
 * A parquet file, open for reading single columns. Format: https://parquet.apache.org/docs/file-format/
 *
 * The library believes the counts that it reads: a damaged one keeps it busy without end, or takes all memory. Where files come from outside
 * it runs in a process that can be ended, see `ParquetFile`.
 */
export class ParquetReader {
  readonly path: string;
  readonly #file: AsyncBuffer;
  readonly #metadata: FileMetaData;

  private constructor(path: string, file: AsyncBuffer, metadata: FileMetaData) {
    this.path = path;
    this.#file = file;
    this.#metadata = metadata;
  }

  /** @throws SpinError `notFound` or `corrupt` naming the file */
  static async open(path: string): Promise<ParquetReader> {
    await stat(path).catch((error: unknown) => {
      throw toIoError(error, path, "read");
    });
    try {
      const file = await asyncBufferFromFile(path);
      const metadata = await parquetMetadataAsync(file);
      checkRows(metadata);
      return new ParquetReader(path, file, metadata);
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
    return parquetSchema(this.#metadata).children.map(({ element }) => element.name);
  }

  /**
   * The values of a column, one per row; null where there is none. Binary columns give bytes.
   * @param rows from the first to before the second; default: all
   * @param pages as `pages` found them: then only those are read that hold the rows
   * @throws SpinError `corrupt` naming file and column
   */
  async read(
    column: string,
    [rowStart, rowEnd]: readonly [start: number, end: number] = [0, this.rows],
    pages?: ColumnPages,
  ): Promise<unknown[]> {
    try {
      // Headers are checked before the library goes by them.
      const found = pages ?? (this.#isFlat(column) ? await this.pages(column) : undefined);
      const pageLocationsByGroup = found?.map((group) => ({ [column]: group.map(toLocation) }));
      const options = { file: this.#file, metadata: this.#metadata, columns: [column], compressors, utf8: false };
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
    try {
      return await this.#findPages(column);
    } catch (cause) {
      throw unreadable(this.path, cause); // Places in the file may be negative, or no numbers at all.
    }
  }

  async #findPages(column: string): Promise<ColumnPages> {
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
        const problem = pageProblem(header, end - offset - length, Number(num_rows) - row);
        if (problem !== undefined) throw unreadable(this.path, new Error(`column ${column}, at ${offset}: ${problem}`));
        if (values !== undefined) {
          pages.push([offset, bytes, row]);
          row += values;
        }
        offset += bytes;
      }
      found.push(pages);
    }
    return found;
  }

  /** Whether a column is neither nested nor repeated. */
  #isFlat(column: string): boolean {
    const element = this.#metadata.schema.find(({ name }) => name === column);
    const isThere = this.#metadata.row_groups.every(({ columns }) =>
      columns.some(({ meta_data }) => meta_data?.path_in_schema.join(".") === column),
    );
    return isThere && element?.num_children === undefined && element?.repetition_type !== "REPEATED";
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

/** @throws Error where the numbers of rows are none */
function checkRows({ num_rows, row_groups }: FileMetaData): void {
  const rows = row_groups.map((group) => Number(group.num_rows));
  const sum = rows.reduce((total, count) => total + count, 0);
  if (rows.every((count) => count >= 0) && sum === Number(num_rows) && Number.isSafeInteger(sum)) return;
  throw new Error(`row groups of ${rows.slice(0, 10).join(", ")} rows, ${num_rows} in all`);
}

/** What is wrong with a page's header; undefined: nothing. @param left bytes of the column behind the header @param rows that are yet to come */
function pageProblem(header: PageHeader, left: number, rows: number): string | undefined {
  const { compressed_page_size: packed, uncompressed_page_size: unpacked } = header;
  const isSize = (size: number) => Number.isInteger(size) && size >= 0;
  if (!isSize(packed) || packed > left) return `a page of ${packed} bytes, ${left} are left`;
  if (!isSize(unpacked) || unpacked > Math.max(MAX_PAGE_BYTES, MAX_PAGE_RATIO * packed)) {
    return `a page that grows from ${packed} to ${unpacked} bytes`;
  }
  const values = header.data_page_header?.num_values ?? header.data_page_header_v2?.num_values;
  if (values !== undefined && (!isSize(values) || values > Math.min(rows, MAX_PAGE_ROWS))) {
    return `a page of ${values} rows, ${rows} are left`;
  }
  const entries = header.dictionary_page_header?.num_values ?? 0;
  return isSize(entries) && entries <= unpacked ? undefined : `a dictionary of ${entries} in ${unpacked} bytes`;
}

function unreadable(what: string, cause: unknown, file = what): SpinError {
  if (cause instanceof SpinError) return cause;
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new SpinError("corrupt", `${what} is not readable parquet (${reason})`, {
    file,
    cause,
    remedy: "download or copy it again",
  });
}

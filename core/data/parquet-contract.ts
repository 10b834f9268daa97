import type { ColumnPages } from "./parquet-reader.js";

/** What is known of a parquet file before a column is read. */
export interface ParquetShape {
  readonly rows: number;
  /** Rows of each row group. */
  readonly groups: readonly number[];
  /** Names of the columns at the top. */
  readonly columns: readonly string[];
}

/** A column of a file, and which of its rows. */
export interface ColumnRequest {
  readonly path: string;
  readonly column: string;
  /** From the first to before the second; absent: all. */
  readonly range?: readonly [start: number, end: number];
  /** As `pages` found them. */
  readonly pages?: ColumnPages;
}

/** What the process that reads parquet answers. Files are opened anew by `open` alone. */
export type ParquetMethods = {
  open(path: string): Promise<ParquetShape>;
  read(request: ColumnRequest): Promise<unknown[]>;
  pages(request: ColumnRequest): Promise<ColumnPages>;
};

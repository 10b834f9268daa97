import { SpinError } from "../errors.js";
import { GuardedProcess } from "../runtime/guarded-process.js";
import type { ParquetMethods, ParquetShape } from "./parquet-contract.js";
import type { ColumnPages } from "./parquet-reader.js";

/** A page takes some seconds where it is very large and the machine has much else to do. */
const SILENT_MS = 30_000;
const HEAP_MIB = 512;

/** A process that reads parquet, to be ended where a file keeps it busy for longer than `silentMs` without a sign of life. */
export function parquetProcess(silentMs = SILENT_MS): GuardedProcess<ParquetMethods> {
  return new GuardedProcess(new URL("./parquet-process.js", import.meta.url), { silentMs, heapMiB: HEAP_MIB });
}

const SHARED = parquetProcess();

/**
 * A parquet file, open for reading single columns in a process of its own: damaged counts keep the library busy without end, or take all
 * memory, and neither may happen to a service.
 */
export class ParquetFile {
  readonly path: string;
  readonly rows: number;
  /** Rows of each row group. */
  readonly groups: readonly number[];
  /** Names of the columns at the top. */
  readonly columns: readonly string[];
  readonly #process: GuardedProcess<ParquetMethods>;

  private constructor(path: string, { rows, groups, columns }: ParquetShape, process: GuardedProcess<ParquetMethods>) {
    this.path = path;
    this.rows = rows;
    this.groups = groups;
    this.columns = columns;
    this.#process = process;
  }

  /** @throws SpinError `notFound` or `corrupt` naming the file, `invalid` where reading it does not end or takes too much memory */
  static async open(path: string, process = SHARED): Promise<ParquetFile> {
    const shape = await process.call("open", path, (how) => lost(path, how));
    return new ParquetFile(path, shape, process);
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
   * @param range rows from the first to before the second; default: all
   * @param pages as `pages` found them: then only those are read that hold the rows
   * @throws SpinError `corrupt` naming file and column, `invalid` as `open` does
   */
  read(column: string, range?: readonly [number, number], pages?: ColumnPages): Promise<unknown[]> {
    return this.#process.call("read", { path: this.path, column, range, pages }, (how) =>
      lost(`${this.path}, column ${column}`, how, this.path),
    );
  }

  /**
   * Finds the pages of a column that is neither nested nor repeated. Files seldom have an index of them, and without one a picture
   * costs reading its whole row group.
   * @throws SpinError as `read` does
   */
  pages(column: string): Promise<ColumnPages> {
    return this.#process.call("pages", { path: this.path, column }, (how) =>
      lost(`${this.path}, column ${column}`, how, this.path),
    );
  }
}

function lost(what: string, how: string, file = what): SpinError {
  return new SpinError("invalid", `${what} cannot be read: the process that read it ${how}`, {
    file,
    remedy: "the file is damaged: download or copy it again, or take it out of the data set",
  });
}

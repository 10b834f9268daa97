import { type FileHandle, mkdir, open, readFile, truncate } from "node:fs/promises";
import { dirname } from "node:path";
import { errorCode, toIoError } from "../core/checkpoint/io-errors.js";

/**
 * Lines of a file that is only ever appended to. The last may have been cut off by a crash: it is no line, and neither is
 * what `parse` refuses.
 * @returns the values, and the bytes that they take
 */
export async function readLines<T>(
  file: string,
  parse: (line: string, index: number) => T,
): Promise<{ readonly values: T[]; readonly bytes: number }> {
  const values: T[] = [];
  let bytes = 0;
  try {
    const text = await readFile(file, "utf8");
    for (let start = 0; ; ) {
      const end = text.indexOf("\n", start);
      if (end < 0) break;
      const line = text.slice(start, end);
      try {
        if (line !== "") values.push(parse(line, values.length));
      } catch {
        break;
      }
      bytes += Buffer.byteLength(line) + 1;
      start = end + 1;
    }
  } catch (error) {
    if (errorCode(error) !== "ENOENT") throw toIoError(error, file, "read");
  }
  return { values, bytes };
}

/** Cuts a file to its whole lines, so that the next one begins on its own. A file that is not there stays so. */
export async function cutTo(file: string, bytes: number): Promise<void> {
  try {
    await truncate(file, bytes);
  } catch (error) {
    if (errorCode(error) !== "ENOENT") throw toIoError(error, file, "write");
  }
}

/** A file that lines are appended to, each on the disk before the next. */
export class AppendLog {
  readonly #file: string;
  readonly #handle: FileHandle;

  private constructor(file: string, handle: FileHandle) {
    this.#file = file;
    this.#handle = handle;
  }

  static async open(file: string): Promise<AppendLog> {
    try {
      await mkdir(dirname(file), { recursive: true });
      return new AppendLog(file, await open(file, "a"));
    } catch (error) {
      throw toIoError(error, file, "write");
    }
  }

  /** @param line with its newline */
  async append(line: string): Promise<void> {
    try {
      await this.#handle.writeFile(line);
      await this.#handle.sync();
    } catch (error) {
      throw toIoError(error, this.#file, "write");
    }
  }

  async close(): Promise<void> {
    await this.#handle.close();
  }
}

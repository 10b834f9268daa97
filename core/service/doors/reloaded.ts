import { readFile } from "node:fs/promises";
import { toIoError } from "../../checkpoint/io-errors.js";
import type { Logger } from "../logging.js";

/** Between two looks at the files. Polling sees what inotify does not: the links that Kubernetes swaps to renew a secret. */
const INTERVAL_MS = 5_000;

export interface ReloadOptions<T> {
  readonly files: readonly string[];
  /** Reads the files' contents, in their order. */
  readonly parse: (contents: readonly Buffer[]) => T;
  readonly onChange?: (value: T) => void;
  readonly log: Logger;
  /** Default: 5000. */
  readonly intervalMs?: number;
}

/** What some files say, read again when they change. Files that cannot be read or are wrong leave what was before, with an error in the log. */
export class Reloaded<T> {
  readonly #options: ReloadOptions<T>;
  readonly #timer: NodeJS.Timeout;
  #contents: readonly Buffer[];
  #current: T;
  #problem = "";

  private constructor(options: ReloadOptions<T>, contents: readonly Buffer[], current: T) {
    this.#options = options;
    this.#contents = contents;
    this.#current = current;
    this.#timer = setInterval(() => void this.#look(), options.intervalMs ?? INTERVAL_MS).unref();
  }

  /** @throws SpinError where the files cannot be read the first time */
  static async open<T>(options: ReloadOptions<T>): Promise<Reloaded<T>> {
    const contents = await readAll(options.files);
    return new Reloaded(options, contents, options.parse(contents));
  }

  get current(): T {
    return this.#current;
  }

  close(): void {
    clearInterval(this.#timer);
  }

  async #look(): Promise<void> {
    const { files, parse, onChange, log } = this.#options;
    try {
      const contents = await readAll(files);
      if (contents.every((content, i) => content.equals(this.#contents[i]!))) {
        this.#problem = "";
        return;
      }
      this.#current = parse(contents);
      this.#contents = contents;
      this.#problem = "";
      log.info({ files }, "took in changed files");
      onChange?.(this.#current);
    } catch (error) {
      const problem = String(error);
      // A renewal that writes file after file is wrong for a moment; one that stays wrong is told once.
      if (problem !== this.#problem)
        log.error({ err: error, files }, "changed files are wrong: the old ones stay in use");
      this.#problem = problem;
    }
  }
}

/** @throws SpinError naming the file that cannot be read */
export function readAll(files: readonly string[]): Promise<Buffer[]> {
  return Promise.all(
    files.map((file) =>
      readFile(file).catch((error: unknown) => {
        throw toIoError(error, file, "read");
      }),
    ),
  );
}

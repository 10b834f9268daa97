import { SpinError } from "../errors.js";
import { freeBytes } from "../free-disk.js";
import { setting, wholeNumber } from "./config.js";
import { watch } from "./metrics.js";

const MIB = 2 ** 20;

export const DISK_SETTINGS = {
  /** MiB that stay free on the disk that the service writes to: with less, new work is refused. 0: none. */
  minFreeDiskMb: setting("MIN_FREE_DISK_MB", wholeNumber(0, 1_000_000_000).prefault("256")),
} as const;

/** The disk that a service writes to, and how much of it stays free. */
export class DiskRoom {
  /** Bytes that stay free. */
  readonly reserved: number;
  readonly #variable: string;
  readonly #folder: string;

  /** @param variable by which a person sets the folder, as `RUNS_DIR` */
  constructor(variable: string, folder: string, minFreeDiskMb: number) {
    this.#variable = variable;
    this.#folder = folder;
    this.reserved = minFreeDiskMb * MIB;
  }

  /**
   * Asks for room before work begins that would write.
   *
   * @throws SpinError `exhausted` that names the folder and what is free and needed
   */
  async require(): Promise<void> {
    const full = await this.fullness(0);
    if (full !== undefined) throw full;
  }

  /** What `require` throws where so many bytes are to be written; undefined where they fit. */
  async fullness(bytes: number): Promise<SpinError | undefined> {
    if (this.reserved === 0) return undefined;
    const [free, needed] = [await freeBytes(this.#folder), bytes + this.reserved];
    if (free >= needed) return undefined;
    const toWrite = bytes === 0 ? "" : `${bytes} to write and `;
    const message = `${this.#variable} (${this.#folder}) has ${free} bytes free, ${needed} are needed: ${toWrite}${this.reserved} that stay free`;
    return new SpinError("exhausted", message, {
      file: this.#folder,
      remedy: "free space on that disk, choose another folder, or lower MIN_FREE_DISK_MB",
    });
  }

  /** Has the free bytes told with every export. @returns a function that ends it */
  watch(): () => void {
    const attributes = { folder: this.#variable };
    return watch("spin.disk.free", async () => {
      const free = await freeBytes(this.#folder).catch(() => undefined); // A disk that does not answer has no free bytes to tell.
      return free === undefined ? [] : [{ value: free, attributes }];
    });
  }
}

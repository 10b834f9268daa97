import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { digestOf } from "../../core/canonical-json.js";
import { saveFile } from "../../core/checkpoint/atomic-file.js";
import { errorCode, toIoError } from "../../core/checkpoint/io-errors.js";
import { SpinError } from "../../core/errors.js";

/** Results of units of work, each in a file of its own under a key of all that decides it: what is there is not done again. */
export class UnitStore {
  readonly #folder: string;

  constructor(folder: string) {
    this.#folder = folder;
  }

  /**
   * A unit's result: as it was stored, or as `work` gives it, which is stored.
   * @param name for people to find the file by
   * @param inputs all that decides the result, as JSON holds it
   */
  async result<T>(name: string, inputs: unknown, work: (key: string) => Promise<T>): Promise<T> {
    const key = digestOf(inputs).slice("sha256:".length, "sha256:".length + 16);
    const file = join(this.#folder, `${name}-${key}.json`);
    const stored = await read(file);
    if (stored !== undefined) return (stored as { result: T }).result;
    const result = await work(key);
    await saveFile(file, `${JSON.stringify({ inputs, result }, undefined, 1)}\n`);
    return result;
  }
}

async function read(file: string): Promise<unknown> {
  try {
    return JSON.parse(await readFile(file, "utf8"));
  } catch (error) {
    if (errorCode(error) === "ENOENT") return undefined;
    if (!(error instanceof SyntaxError)) throw toIoError(error, file, "read");
    throw new SpinError("corrupt", `${file} is not JSON`, {
      file,
      cause: error,
      remedy: "delete it: it is made again",
    });
  }
}

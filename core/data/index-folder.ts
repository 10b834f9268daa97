import { join } from "node:path";
import type { z } from "zod";
import { digestOf } from "../canonical-json.js";
import { saveFile } from "../checkpoint/atomic-file.js";
import { readJsonFile } from "../json-config.js";

/** What was found out about files of data, kept on disk: large sets are looked through once, and an interruption loses one file's work. */
export class IndexFolder {
  readonly #folder: string;

  constructor(folder: string) {
    this.#folder = folder;
  }

  /**
   * What is kept under an identity; computed and kept where there is nothing, or nothing that the schema takes.
   * @param identity everything that the result depends on, the version of its rules included
   * @throws SpinError as `compute` does, and where the folder cannot be written to
   */
  async keep<T>(identity: object, schema: z.ZodType<T>, compute: () => Promise<T>): Promise<T> {
    const kept = await this.find(identity, schema);
    if (kept !== undefined) return kept;
    const computed = await compute();
    await this.put(identity, computed);
    return computed;
  }

  /** What is kept under an identity; undefined where there is nothing that the schema takes. */
  async find<T>(identity: object, schema: z.ZodType<T>): Promise<T | undefined> {
    return schema.safeParse(await readJsonFile(this.#file(identity)).catch(() => undefined)).data;
  }

  /** @throws SpinError where the folder cannot be written to */
  put(identity: object, value: unknown): Promise<void> {
    return saveFile(this.#file(identity), JSON.stringify(value));
  }

  #file(identity: object): string {
    return join(this.#folder, `${digestOf(identity).slice("sha256:".length)}.json`);
  }
}

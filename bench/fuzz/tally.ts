import { existsSync } from "node:fs";
import * as z from "zod";
import { saveFile } from "../../core/checkpoint/atomic-file.js";
import { SpinError } from "../../core/errors.js";
import { parseConfig, readJsonFile } from "../../core/json-config.js";
import { addCounts, type FuzzCount } from "./run-fuzz.js";

const tallySchema = z.object({
  seed: z.string(),
  counts: z.array(
    z.object({
      decoder: z.string(),
      inputs: z.int(),
      read: z.int(),
      refused: z.int(),
      slowestMs: z.number(),
      seconds: z.number(),
      faults: z.array(z.object({ index: z.int(), problem: z.string() })),
    }),
  ),
});

/** Counts of several runs with one seed, kept in a file: each goes on with the inputs behind those of the run before. */
export class Tally {
  readonly #file: string | undefined;
  readonly #seed: bigint;
  readonly #counts = new Map<string, FuzzCount>();

  private constructor(file: string | undefined, seed: bigint) {
    this.#file = file;
    this.#seed = seed;
  }

  /** @param file undefined: nothing is kept. @throws SpinError `invalid` for a file of another seed */
  static async open(file: string | undefined, seed: bigint): Promise<Tally> {
    const tally = new Tally(file, seed);
    if (file === undefined || !existsSync(file)) return tally;
    const kept = parseConfig(tallySchema, await readJsonFile(file), file);
    if (kept.seed !== String(seed)) {
      throw new SpinError("invalid", `${file}: counts inputs of the seed ${kept.seed}, asked for ${seed}`, { file });
    }
    for (const count of kept.counts) tally.#counts.set(count.decoder, count);
    return tally;
  }

  get counts(): FuzzCount[] {
    return [...this.#counts.values()];
  }

  /** Number of the next input of a decoder. */
  next(decoder: string): number {
    return this.#counts.get(decoder)?.inputs ?? 0;
  }

  async add(count: FuzzCount): Promise<void> {
    const before = this.#counts.get(count.decoder);
    this.#counts.set(count.decoder, before === undefined ? count : addCounts(before, count));
    if (this.#file === undefined) return;
    await saveFile(this.#file, JSON.stringify({ seed: String(this.#seed), counts: this.counts }));
  }
}

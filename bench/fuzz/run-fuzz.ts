import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createPhiloxStream } from "../../core/diffusion/philox.js";
import { SpinError } from "../../core/errors.js";
import { type Decoder, loadSeeds } from "./decoders.js";
import { mutate } from "./mutate.js";

/** What a decoder did with its inputs. */
export interface FuzzCount {
  readonly decoder: string;
  readonly inputs: number;
  /** Taken: what was damaged did not matter, or made another valid input. */
  readonly read: number;
  /** Refused by a typed error. */
  readonly refused: number;
  /** Longest processor time of one input. */
  readonly slowestMs: number;
  readonly faults: readonly FuzzFault[];
}

/** An input that a decoder neither took nor refused as it should. */
export interface FuzzFault {
  readonly index: number;
  readonly problem: string;
}

export interface FuzzOptions {
  readonly inputs: number;
  /** Input i of a decoder is a function of seed and i alone. */
  readonly seed: bigint;
  /** Folder of the golden cases. */
  readonly cases: string;
  /** Where inputs are written; those that are faults stay there. */
  readonly folder: string;
}

/** No decoder may compute longer for an input (on all processors, whatever else they do), nor take memory beyond this. */
const MAX_MS = 1000;
const MAX_BYTES = 200_000_000;

/** Gives a decoder damaged inputs, one after another. */
export async function fuzzDecoder(decoder: Decoder, options: FuzzOptions): Promise<FuzzCount> {
  const { inputs, seed, cases, folder } = options;
  const seeds = await loadSeeds(decoder, cases);
  await mkdir(folder, { recursive: true });
  const path = join(folder, "input");
  const faults: FuzzFault[] = [];
  let [read, refused, slowestMs] = [0, 0, 0];
  const problemOf = async (bytes: Uint8Array): Promise<string | undefined> => {
    const before = process.memoryUsage().arrayBuffers;
    const stray = strayErrors();
    const start = process.cpuUsage();
    try {
      await decoder.decode(path, bytes);
      read++;
    } catch (error) {
      if (!(error instanceof SpinError)) return `not a typed error: ${String(error)}`;
      if (error.kind === "internal") return `an error of the program's own: ${error.message}`;
      refused++;
    } finally {
      stray.end();
    }
    const { user, system } = process.cpuUsage(start);
    const ms = (user + system) / 1000;
    slowestMs = Math.max(slowestMs, ms);
    if (stray.first !== undefined) return `thrown outside of every promise: ${String(stray.first)}`;
    if (ms > MAX_MS) return `took ${ms.toFixed(0)} ms`;
    const taken = process.memoryUsage().arrayBuffers - before;
    return taken > MAX_BYTES ? `took ${taken} bytes of memory` : undefined;
  };
  for (let index = 0; index < inputs; index++) {
    const random = createPhiloxStream(seed, { iteration: 0, index, purpose: 0 });
    const bytes = mutate(seeds[index % seeds.length]!, random);
    await writeFile(path, bytes);
    const problem = await problemOf(bytes);
    if (problem === undefined) continue;
    faults.push({ index, problem });
    await writeFile(join(folder, `${decoder.name.replaceAll(/[^a-z0-9.]+/gi, "-")}-${seed}-${index}`), bytes);
  }
  return { decoder: decoder.name, inputs, read, refused, slowestMs, faults };
}

/** Errors that nothing catches would end a service. */
function strayErrors(): { readonly first: unknown; end(): void } {
  const seen: unknown[] = [];
  const note = (error: unknown) => seen.push(error);
  process.on("uncaughtException", note).on("unhandledRejection", note);
  return {
    get first() {
      return seen[0];
    },
    end: () => process.off("uncaughtException", note).off("unhandledRejection", note),
  };
}

/** The counts as a table in Markdown. */
export function formatCounts(counts: readonly FuzzCount[]): string {
  const rows = counts.map(
    ({ decoder, inputs, read, refused, slowestMs, faults }) =>
      `| ${decoder} | ${inputs} | ${read} | ${refused} | ${slowestMs.toFixed(0)} | ${faults.length} |`,
  );
  const head = [
    "| decoder | inputs | read | refused | slowest, ms | faults |",
    "| --- | --- | --- | --- | --- | --- |",
  ];
  return `${[...head, ...rows].join("\n")}\n`;
}

import { mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { getHeapStatistics } from "node:v8";
import { createPhiloxStream } from "../../core/diffusion/philox.js";
import { SpinError } from "../../core/errors.js";
import { type Decoder, fuzzInput } from "./decoder.js";
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
  /** Processor time of them all. */
  readonly seconds: number;
  readonly faults: readonly FuzzFault[];
}

/** An input that a decoder neither took nor refused as it should. */
export interface FuzzFault {
  readonly index: number;
  readonly problem: string;
}

export interface FuzzOptions {
  /** Number of the first input. */
  readonly from?: number;
  readonly inputs: number;
  /** Ends before all inputs were given. */
  readonly maxSeconds?: number;
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
  const { from = 0, inputs, maxSeconds = Number.POSITIVE_INFINITY, seed, cases, folder } = options;
  const seeds = await decoder.seeds(cases);
  const name = decoder.name.replaceAll(/[^a-z0-9.]+/gi, "-");
  const work = join(folder, `${name}-work`);
  await mkdir(work, { recursive: true });
  const faults: FuzzFault[] = [];
  const stray = strayErrors();
  const begin = performance.now();
  let [done, read, refused, slowestMs, totalMs] = [0, 0, 0, 0, 0];
  const problemOf = async (bytes: Uint8Array, ofSeed: number): Promise<string | undefined> => {
    const before = memory();
    const start = process.cpuUsage();
    const input = fuzzInput(bytes, ofSeed, work);
    const error: unknown = await decoder.decode(input).then(
      () => undefined,
      (thrown: unknown) => thrown ?? new Error("nothing"),
    );
    const { user, system } = process.cpuUsage(start);
    const ms = (user + system) / 1000;
    slowestMs = Math.max(slowestMs, ms);
    totalMs += ms;
    const thrown = stray.take();
    if (thrown !== undefined) return `thrown outside of every promise: ${String(thrown)}`;
    if (error !== undefined && !(error instanceof SpinError)) return `not a typed error: ${String(error)}`;
    if (error?.kind === "internal") return `an error of the program's own: ${error.message}`;
    if (ms > MAX_MS) return `took ${ms.toFixed(0)} ms`;
    const taken = memory() - before;
    if (taken > MAX_BYTES) return `took ${taken} bytes of memory`;
    if (error === undefined) read++;
    else refused++;
    return undefined;
  };
  try {
    for (; done < inputs && performance.now() - begin < 1000 * maxSeconds; done++) {
      const index = from + done;
      const random = createPhiloxStream(seed, { iteration: 0, index, purpose: 0 });
      const ofSeed = index % seeds.length;
      const bytes = mutate(seeds[ofSeed]!, random);
      const problem = await problemOf(bytes, ofSeed);
      if (problem === undefined) continue;
      faults.push({ index, problem });
      await writeFile(join(folder, `${name}-${seed}-${index}`), bytes);
    }
  } finally {
    stray.end();
    decoder.end?.();
    await rm(work, { recursive: true, force: true });
  }
  return { decoder: decoder.name, inputs: done, read, refused, slowestMs, seconds: totalMs / 1000, faults };
}

/** Bytes on the heap and in buffers. */
function memory(): number {
  const { used_heap_size, external_memory } = getHeapStatistics();
  return used_heap_size + external_memory;
}

/** Errors that nothing catches would end a service. */
function strayErrors(): { take(): unknown; end(): void } {
  const seen: unknown[] = [];
  const note = (error: unknown) => seen.push(error);
  process.on("uncaughtException", note).on("unhandledRejection", note);
  return {
    take: () => seen.splice(0)[0],
    end: () => process.off("uncaughtException", note).off("unhandledRejection", note),
  };
}

/** What two runs over different inputs of a decoder come to. */
export function addCounts(a: FuzzCount, b: FuzzCount): FuzzCount {
  return {
    decoder: b.decoder,
    inputs: a.inputs + b.inputs,
    read: a.read + b.read,
    refused: a.refused + b.refused,
    slowestMs: Math.max(a.slowestMs, b.slowestMs),
    seconds: a.seconds + b.seconds,
    faults: [...a.faults, ...b.faults],
  };
}

/** The counts as a table in Markdown. */
export function formatCounts(counts: readonly FuzzCount[]): string {
  const sum = counts.length < 2 ? [] : [{ ...counts.reduce(addCounts), decoder: "all" }];
  const rows = [...counts, ...sum].map(
    ({ decoder, inputs, read, refused, seconds, slowestMs, faults }) =>
      `| ${decoder} | ${inputs} | ${read} | ${refused} | ${seconds.toFixed(0)} | ${slowestMs.toFixed(0)} | ${faults.length} |`,
  );
  const head = [
    "| decoder | inputs | read | refused | processor, s | slowest, ms | faults |",
    "| --- | --- | --- | --- | --- | --- | --- |",
  ];
  return `${[...head, ...rows].join("\n")}\n`;
}

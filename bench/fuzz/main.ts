import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Command } from "commander";
import { collect, seed, wholeNumber } from "../../cli/options.js";
import { runTool } from "../run-tool.js";
import { DECODERS } from "./decoders.js";
import { type FuzzCount, formatCounts, fuzzDecoder } from "./run-fuzz.js";

interface Options {
  readonly inputs: number;
  readonly seed: bigint;
  readonly cases: string;
  readonly folder?: string;
  readonly only?: readonly string[];
}

const program = new Command("fuzz")
  .description(
    "Give every decoder of files and messages damaged inputs: each is read, or refused by a typed error, within a second.",
  )
  .option("--inputs <count>", "for each decoder", wholeNumber(1, 100_000_000), 1000)
  .option("--seed <number>", "the same seed gives the same inputs", seed, 1n)
  .option("--only <text>", "decoders whose names have it in them, repeatable", collect(String))
  .option("--cases <folder>", "golden cases, which inputs are made from", "test/reference/cases")
  .option("--folder <folder>", "where inputs that are faults stay; default: a new temporary folder")
  .action(async ({ only, folder, ...options }: Options) => {
    const where = folder ?? (await mkdtemp(join(tmpdir(), "spin-fuzz-")));
    const counts: FuzzCount[] = [];
    for (const decoder of DECODERS) {
      if (only !== undefined && !only.some((part) => decoder.name.includes(part))) continue;
      const count = await fuzzDecoder(decoder, { ...options, folder: where });
      counts.push(count);
      for (const { index, problem } of count.faults)
        process.stderr.write(`${decoder.name}, input ${index}: ${problem}\n`);
    }
    process.stdout.write(formatCounts(counts));
    if (counts.some(({ faults }) => faults.length > 0)) {
      process.stderr.write(`inputs that are faults are in ${where}\n`);
      process.exitCode = 1;
    }
  });
await runTool(program);

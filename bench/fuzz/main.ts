import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Command } from "commander";
import { collect, seed, wholeNumber } from "../../cli/options.js";
import { Progress } from "../../cli/progress.js";
import { runTool } from "../run-tool.js";
import { DECODERS } from "./decoders.js";
import { formatCounts, fuzzDecoder } from "./run-fuzz.js";
import { Tally } from "./tally.js";

interface Options {
  readonly inputs: number;
  readonly seconds: number;
  readonly seed: bigint;
  readonly cases: string;
  readonly folder?: string;
  readonly only?: readonly string[];
  readonly tally?: string;
}

const program = new Command("fuzz")
  .description(
    "Give every decoder of files and messages damaged inputs: each is read, or refused by a typed error, within a second.",
  )
  .option("--inputs <count>", "for each decoder", wholeNumber(1, 100_000_000), 1000)
  .option("--seconds <number>", "at most, for each decoder", wholeNumber(1, 1_000_000), 3600)
  .option("--seed <number>", "the same seed gives the same inputs", seed, 1n)
  .option("--only <text>", "decoders whose names have it in them, repeatable", collect(String))
  .option("--tally <file>", "counts are added up there, and each run goes on with the inputs behind the last one's")
  .option("--cases <folder>", "golden cases, which inputs are made from", "test/reference/cases")
  .option("--folder <folder>", "where inputs that are faults stay; default: a new temporary folder")
  .addHelpText(
    "after",
    "\nExamples:\n  npm run fuzz -- --inputs 300\n  npm run fuzz -- --only parquet --seed 7\n  npm run fuzz -- --inputs 50000 --seconds 20 --tally runs/fuzz.json",
  )
  .action(async ({ only, folder, tally: tallyFile, seconds, inputs, ...options }: Options) => {
    const where = folder ?? (await mkdtemp(join(tmpdir(), "spin-fuzz-")));
    const tally = await Tally.open(tallyFile, options.seed);
    const chosen = DECODERS.filter(({ name }) => only === undefined || only.some((part) => name.includes(part)));
    const progress = new Progress("decoder");
    let faults = 0;
    for (const [done, decoder] of chosen.entries()) {
      const from = tally.next(decoder.name);
      const work = fuzzDecoder(decoder, { ...options, from, inputs, maxSeconds: seconds, folder: where });
      const count = await progress.follow(work, () => [done, chosen.length]);
      await tally.add(count);
      faults += count.faults.length;
      for (const { index, problem } of count.faults)
        process.stderr.write(`${decoder.name}, input ${index}: ${problem}\n`);
    }
    process.stdout.write(formatCounts(tally.counts));
    if (faults > 0) {
      process.stderr.write(`inputs that are faults are in ${where}\n`);
      process.exitCode = 1;
    }
  });
await runTool(program);

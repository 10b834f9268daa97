import { writeFile } from "node:fs/promises";
import { resolve } from "node:path";
import { Argument, Command } from "commander";
import type { BenchmarkName } from "../../cli/bench/settings.js";
import { wholeNumber } from "../../cli/options.js";
import { runTool } from "../run-tool.js";
import type { Flags } from "./cases.js";
import { measure, type Program } from "./measure.js";
import { formatReport, makeReport } from "./report.js";
import { runRounds, type Side } from "./rounds.js";
import { shareRuns } from "./share-runs.js";
import { sizeFolder } from "./size-folder.js";
import { casesOf, SIZE, SIZES, type SizeName } from "./sizes.js";

interface Options {
  readonly python: string;
  readonly model?: string;
  readonly rounds: number;
  readonly only?: readonly string[];
  readonly batch?: number;
  readonly samplingSteps?: number;
  readonly steps?: number;
  readonly tokens?: number;
  readonly repeats?: number;
  readonly threads?: number;
  readonly json?: string;
}

const count = wholeNumber(1, 100_000);

const program = new Command("compare")
  .description("Set PyTorch beside this project: time and memory of the same work, by turns.")
  .addArgument(new Argument("<size>", "which model; one that is missing is made").choices(SIZES))
  .requiredOption("--python <file>", "Python with torch, diffusers and transformers", fileOf)
  .option("--rounds <count>", "how often each is run on each side", count, 3)
  .option("--only <ids>", "cases to compare, as step,step-given", (ids) => ids.split(","))
  .option("--model <folder>", "another folder than the size's own", (folder) => resolve(folder))
  .option("--batch <count>", "pictures at once; in training, examples on each side", count)
  .option("--sampling-steps <count>", "of pictures and trajectories", count)
  .option("--steps <count>", "optimiser steps of an iteration", count)
  .option("--tokens <count>", "length of the text states", count)
  .option("--repeats <count>", "measured repetitions in each run", count)
  .option("--threads <count>", "threads; default: one per core", count)
  .option("--json <file>", "write all figures there, too")
  .action(compare);
await runTool(program);

async function compare(name: SizeName, options: Options): Promise<void> {
  const size = { ...SIZE[name], ...given(options) };
  const cases = casesOf(size, options.only);
  const model = options.model ?? (await sizeFolder(name));
  const shared = { model, tokens: size.tokens, threads: options.threads };
  const programs: Record<Side, Program> = {
    here: [process.execPath, "bin/spin-diffusion.mjs", "bench"],
    torch: [options.python, "bench/pytorch.py"],
  };
  const setting = { size: name, model, rounds: options.rounds, tokens: size.tokens };
  const minutes = options.rounds * size.minutes;
  process.stderr.write(`about ${minutes} min for all cases on two cores; after each run stands what is left\n`);
  const run = shareRuns((side: Side, bench: BenchmarkName, flags: Flags) => measure([...programs[side], bench], flags));
  const found = await runRounds(
    cases,
    options.rounds,
    (of, side) => {
      const repeats = options.repeats ?? size.repeats?.[of.bench];
      return run(side, of.bench, { ...shared, repeats, ...of.flags, ...of[side] });
    },
    async (line, sofar) => {
      process.stderr.write(`${line}\n`);
      // After each run: hours of figures are not lost with the machine.
      if (options.json === undefined) return;
      await writeFile(options.json, `${JSON.stringify(makeReport(setting, sofar), undefined, 2)}\n`);
    },
  );
  process.stdout.write(`${formatReport(makeReport(setting, found))}\n`);
  if (found.some(({ failure }) => failure !== undefined)) process.exitCode = 1;
}

/** Benchmarks run in the project's folder, wherever this is called. A bare name is one of the PATH. */
function fileOf(program: string): string {
  return program.includes("/") ? resolve(program) : program;
}

/** The settings that were given in place of the size's. */
function given({ batch, samplingSteps, steps, tokens }: Options) {
  const all = Object.entries({ batch, samplingSteps, steps, tokens });
  return Object.fromEntries(all.filter(([, value]) => value !== undefined));
}

import { Command } from "commander";
import { wholeNumber } from "../../cli/options.js";
import { runTool } from "../run-tool.js";
import { compareReal, formatCompared } from "./compare-real.js";
import { allTables } from "./table.js";

interface RealOptions {
  readonly generators: readonly number[];
  readonly steps: number;
  readonly batch: number;
  readonly samplingSteps: number;
  readonly json?: boolean;
}

const count = wholeNumber(1, 100_000);

const program = new Command("scaling").description("Simulate 1 to 256 generators that feed a trainer.").action(() => {
  process.stdout.write(allTables());
});
program
  .command("real")
  .description("Run iterations of the built-in model on this machine, and set the simulation beside them.")
  .option("--generators <counts>", "between commas", (list) => list.split(",").map(count), [1, 2])
  .option("--steps <count>", "optimiser steps", count, 20)
  .option("--batch <count>", "samples of a step", count, 4)
  .option("--sampling-steps <count>", "of the sampler", count, 20)
  .option("--json", "print one line of JSON")
  .action(async ({ generators, json, ...settings }: RealOptions) => {
    const compared = await compareReal(generators, { model: "base", guidance: 2, ...settings });
    process.stdout.write(json ? `${JSON.stringify(compared)}\n` : `${formatCompared(compared)}\n`);
  });
await runTool(program);

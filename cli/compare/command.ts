import { Command } from "commander";
import { serviceAddress } from "../remote/references.js";

interface CompareOptions {
  readonly evaluator: string;
  readonly evaluation: string;
  readonly with?: string;
  readonly json?: boolean;
}

const EXAMPLES = `
Examples:
  $ spin-diffusion compare --evaluation first spin-2 sft           one pair of one evaluation
  $ spin-diffusion compare --evaluation first                      every pair of it
  $ spin-diffusion compare --evaluation first --with second spin-2 spin-2
                                                                   the same label in two evaluations

Both sides must have the same prompts, noise, sampler and scorers: what differs is named, with both values, and nothing is
compared. Wins: share of A's pictures that score above B's, ties half; brackets: 95 % of a paired bootstrap over prompts.`;

/** `spin-diffusion compare`. */
export function compareCommand(): Command {
  return new Command("compare")
    .description("Compare checkpoints of finished evaluations, picture by picture: win rates, intervals, sign test.")
    .argument("[a]", "label of a checkpoint; without labels, every pair is compared")
    .argument("[b]", "label of what it is compared with")
    .option("--evaluator <address>", "the evaluator", serviceAddress, "127.0.0.1:50053")
    .requiredOption("--evaluation <name>", "a finished evaluation, by its name or identifier")
    .option("--with <name>", "the evaluation that b is of; default: the same")
    .option("--json", "print one line of JSON")
    .addHelpText("after", EXAMPLES)
    .action(async (a: string | undefined, b: string | undefined, options: CompareOptions, command: Command) => {
      if (a !== undefined && b === undefined)
        command.error("error: missing argument 'b': name two checkpoints, or none");
      const { compare, comparisonJson, formatComparisons } = await import("./compare.js");
      const { withService } = await import("../remote/connect.js");
      const labels = a === undefined || b === undefined ? undefined : ([a, b] as const);
      const plan = { evaluation: options.evaluation, other: options.with, labels };
      const comparisons = await withService(options.evaluator, (evaluator) => compare(evaluator, plan));
      const json = () => `${JSON.stringify({ comparisons: comparisons.map(comparisonJson) })}\n`;
      process.stdout.write(options.json ? json() : formatComparisons(comparisons));
    });
}

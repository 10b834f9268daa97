import { Command } from "commander";
import type { Split } from "../../core/data/dataset.js";

interface InspectOptions {
  readonly split?: string;
  readonly indexDir: string;
  readonly examples: number;
  readonly json?: boolean;
}

const EXAMPLES = `
Examples:
  $ spin-diffusion data inspect data/pickapic_v2
  $ spin-diffusion data inspect data/pickapic_v2 --split validation --json
  $ spin-diffusion data inspect emoji --examples 5
  $ spin-diffusion data inspect data/PartiPrompts.tsv

Every row is looked at and every picture decoded, so a row that training could not use shows here. What is found out is kept in
--index-dir, where a trainer or generator with the same DATA_INDEX_DIR finds it.`;

/** `spin-diffusion data …`. */
export function dataCommand(): Command {
  const inspect = new Command("inspect")
    .description("Look through a data set or prompt list: counts, examples, rows that cannot be used.")
    .argument("<path>", "a folder, a file of prompts, or the name of a built-in set")
    .option("--split <name>", "only this part: train, validation or test")
    .option("--index-dir <folder>", "where what is found out is kept", "runs/data-index")
    .option("--examples <count>", "captions to show of each part", Number, 3)
    .option("--json", "print one line of JSON")
    .addHelpText("after", EXAMPLES)
    .action(async (path: string, { split, indexDir, examples, json }: InspectOptions) => {
      const { inspect, formatInspection } = await import("./inspect.js");
      const found = await inspect(path, { split: split as Split | undefined, indexDir, examples });
      process.stdout.write(json ? `${JSON.stringify(found)}\n` : formatInspection(found));
    });
  return new Command("data")
    .description("Look at data.")
    .helpCommand(false)
    .addCommand(inspect)
    .addHelpText("after", EXAMPLES);
}

import { Command } from "commander";
import { seed } from "../../cli/options.js";
import { runTool } from "../run-tool.js";
import { writeScorers } from "./write-scorers.js";

const program = new Command("make-scorers")
  .description(
    "Write PickScore, HPS, ImageReward and Aesthetic with random weights: names, formats and sizes of the published files.",
  )
  .argument("<folder>", "where; about 10 GB")
  .option("--seed <number>", "key of the weights", seed, 1n)
  .option(
    "--tokenizer <folder>",
    "CLIP's vocabulary, to take over; default: from the tests",
    "test/reference/cases/tokenize/clip/tokenizer",
  )
  .action(async (folder: string, options: { seed: bigint; tokenizer: string }) => {
    for await (const { file, bytes } of writeScorers(folder, options)) {
      process.stdout.write(`${file}: ${(bytes / 2 ** 20).toFixed(0)} MiB\n`);
    }
  });
await runTool(program);

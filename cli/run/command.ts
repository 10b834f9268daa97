import { Command, Option } from "commander";
import { seed, wholeNumber } from "../options.js";
import { checkpoint, jobName, nameOf, resourceName, serviceAddress } from "../remote/references.js";
import { settingOptions } from "./setting-options.js";
import { iterationSettings, type RunSettings } from "./settings.js";

interface RunCommandOptions extends RunSettings {
  readonly trainer: string;
  readonly evaluator?: string;
  readonly scorer: string;
  readonly maxPrompts: number;
  readonly report?: string;
  readonly name?: string;
  readonly json?: boolean;
}

const EXAMPLES = `
Examples:
  $ spin-diffusion run --base base --dataset emoji/winners --iterations 2 --steps 60 --batch 8 --beta 5000
  $ spin-diffusion run --base base --dataset emoji/winners --objective sft --learning-rate 1e-4 --name sft
  $ spin-diffusion run --base base --dataset emoji/winners --objective spin-exact --lambda 0.01 --eta 1 --error-space mu --reduction sum
  $ spin-diffusion run --base base --dataset emoji --objective dpo --dpo-loss ipo --divergence-stop
  $ spin-diffusion run --base base --dataset emoji/winners --iterations 2 --learning-rate 1e-4 --lora-rank 8
  $ spin-diffusion run --base base --dataset emoji/winners --iterations 2 \\
      --evaluator 127.0.0.1:50053 --scorer scorer --report report.html

Ctrl-C ends the watching, not the iteration at work: the same command finds the run again, by --name or, without one, by its
settings, tells what has happened and goes on. --base and --dataset are names of folders of the trainer and its generators.`;

/** `spin-diffusion run`. */
export function runCommand(): Command {
  const command = new Command("run")
    .description("Train: K iterations of self-play in a running trainer, watched step by step.")
    .option("--trainer <address>", "the trainer", serviceAddress, "127.0.0.1:50052")
    .requiredOption("--base <checkpoint>", "what to start from: a model's name or sha256:…", checkpoint)
    .requiredOption("--dataset <name>", "real images and captions", resourceName)
    .option("--split <name>", "part of the data set", resourceName, "train")
    .option("--iterations <count>", "iterations, K", wholeNumber(1, 1000), 1);
  for (const option of settingOptions(iterationSettings)) command.addOption(option);
  return command
    .addOption(new Option("--seed <number>", "key of all noise").argParser(seed).default(0n, "0"))
    .option("--name <name>", "what the run is known by; default: made from its settings", jobName)
    .option("--evaluator <address>", "evaluate base and iterations there in the end", serviceAddress)
    .option("--scorer <name>", "scorer of the evaluation", resourceName, "scorer")
    .option("--max-prompts <count>", "its prompts; 0: all of the test split", wholeNumber(0, 4_294_967_295), 0)
    .option("--report <file>", "where its report is written")
    .option("--json", "print one line of JSON in the end, progress on standard error")
    .addHelpText("after", EXAMPLES)
    .action(async ({ trainer, evaluator, scorer, maxPrompts, report, name, json, ...settings }: RunCommandOptions) => {
      const { run } = await import("./run.js");
      const { iterations: _, ...identity } = settings;
      const evaluation = evaluator === undefined ? undefined : { evaluator, scorer, maxPrompts, report };
      await run(settings, { trainer, name: name ?? nameOf("run", identity), evaluation, asJson: json ?? false });
    });
}

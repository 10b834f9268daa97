import { Command, Option } from "commander";
import { collect, patienceOption, seed, wholeNumber } from "../options.js";
import { checkpoint, jobName, nameOf, resourceName, serviceAddress } from "../remote/references.js";
import { recipeAction } from "./recipe-action.js";
import type { RunCommandOptions } from "./run-options.js";
import { settingOptions } from "./setting-options.js";
import { iterationSettings } from "./settings.js";

const EXAMPLES = `
Examples:
  $ spin-diffusion run recipes/emoji-spin.yaml --local --model-dir demo
  $ spin-diffusion run recipes/spin-iter1.yaml --trainer 127.0.0.1:50052 --set gradientAccumulation=32
  $ spin-diffusion run --base base --dataset emoji/winners --iterations 2 --steps 60 --batch 8 --beta 5000
  $ spin-diffusion run --base base --dataset emoji/winners --objective sft --learning-rate 1e-4 --name sft
  $ spin-diffusion run --base base --dataset emoji/winners --objective spin-exact --lambda 0.01 --eta 1 --error-space mu --reduction sum
  $ spin-diffusion run --base base --dataset emoji --objective dpo --dpo-loss ipo --divergence-stop
  $ spin-diffusion run --base base --dataset emoji/winners --iterations 2 --learning-rate 1e-4 --lora-rank 8
  $ spin-diffusion run --base base --dataset emoji/winners --iterations 2 \\
      --evaluator 127.0.0.1:50053 --scorer scorer --report report.html

Ctrl-C ends the watching, not the iteration at work: the same command finds the run again, by --name or, without one, by its
settings, tells what has happened and goes on. A trainer that is gone while it is watched, as in a restart, is waited for (--patience). --base and --dataset are names of folders of the trainer and its generators. A recipe says all of it in a file; --set and the flags given beside
it go before what it says. With --local the three services are started here and stopped in the end; Ctrl-C stops them too, and the same
command goes on where it stopped.`;

/** `spin-diffusion run`. */
export function runCommand(): Command {
  const command = new Command("run")
    .description("Train: K iterations of self-play in a running trainer, watched step by step.")
    .argument("[recipe]", "a YAML file, as those in recipes/, in place of --base, --dataset and the rest")
    .option("--trainer <address>", "the trainer", serviceAddress, "127.0.0.1:50052")
    .option("--base <checkpoint>", "what to start from: a model's name or sha256:…; required", checkpoint)
    .option("--dataset <name>", "real images and captions; required", resourceName)
    .option("--split <name>", "part of the data set", resourceName, "train")
    .option("--iterations <count>", "iterations, K", wholeNumber(1, 1000), 1);
  for (const option of settingOptions(iterationSettings)) command.addOption(option);
  return command
    .addOption(new Option("--seed <number>", "key of all noise").argParser(seed).default(0n, "0"))
    .option("--name <name>", "what the run is known by; default: made from its settings", jobName)
    .addOption(patienceOption("a trainer or evaluator"))
    .option("--evaluator <address>", "evaluate base and iterations there in the end", serviceAddress)
    .option("--scorer <name>", "scorer of the evaluation", resourceName, "scorer")
    .option("--max-prompts <count>", "its prompts; 0: all of the test split", wholeNumber(0, 4_294_967_295), 0)
    .option("--report <file>", "where its report is written")
    .option(
      "--set <key=value>",
      "a value in place of the recipe's, as evaluation.maxPrompts=8; repeatable",
      collect(String),
    )
    .option("--local", "start the services here")
    .option("--model-dir <folder>", "--local: folder with models and scorers", "demo")
    .option("--data-dir <folder>", "--local: folder with data sets; default: data")
    .option("--state-dir <folder>", "where --local keeps runs, and recipes their summaries", "runs/local")
    .option("--threads <count>", "--local: threads of each service; default: half of the cores", wholeNumber(1, 1024))
    .option("--json", "print one line of JSON in the end, progress on standard error")
    .addHelpText("after", EXAMPLES)
    .action(async (recipe: string | undefined, options: RunCommandOptions, self: Command) => {
      if (recipe !== undefined) return recipeAction(recipe, options, self);
      for (const name of ["base", "dataset"] as const) {
        if (options[name] !== undefined) continue;
        const flags = self.options.find((option) => option.attributeName() === name)!.flags;
        self.error(`error: required option '${flags}' not specified`);
      }
      return flagsAction(options);
    });
}

/** Runs what the flags say, in services that are there or in some of its own. */
async function flagsAction(options: RunCommandOptions): Promise<void> {
  const { trainer, evaluator, scorer, maxPrompts, report, name, patience, json, ...others } = options;
  const { set: _, local, modelDir, dataDir, stateDir, threads, ...settings } = others;
  const { iterations: __, ...identity } = settings;
  const { run } = await import("./run.js");
  const { withLocalServices } = await import("../local/with-local-services.js");
  await withLocalServices(local ? { stateDir, modelDir, dataDir, threads } : undefined, async (services) => {
    const address = evaluator === undefined ? undefined : (services?.evaluator ?? evaluator);
    const evaluation = address === undefined ? undefined : { evaluator: address, scorer, maxPrompts, report };
    await run(settings, {
      trainer: services?.trainer ?? trainer,
      name: name ?? nameOf("run", identity),
      evaluation,
      patience,
      asJson: json ?? false,
    });
  });
}

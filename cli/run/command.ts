import { Command, Option } from "commander";
import { SAMPLER_NAMES } from "../../core/diffusion/pipeline-sampler.js";
import { decimal, listOfNames, positive, seed, wholeNumber } from "../options.js";
import { checkpoint, jobName, nameOf, resourceName, serviceAddress } from "../remote/references.js";
import { OBJECTIVES, RATE_SCHEDULES, type RunSettings, TIMESTEP_RULES } from "./settings.js";

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
  $ spin-diffusion run --base base --dataset emoji/winners --iterations 2 --learning-rate 1e-4 --lora-rank 8
  $ spin-diffusion run --base base --dataset emoji/winners --iterations 2 \\
      --evaluator 127.0.0.1:50053 --scorer scorer --report report.html

Ctrl-C ends the watching, not the iteration at work: the same command finds the run again, by --name or, without one, by its
settings, tells what has happened and goes on. --base and --dataset are names of folders of the trainer and its generators.`;

/** `spin-diffusion run`. */
export function runCommand(): Command {
  return new Command("run")
    .description("Train: K iterations of self-play in a running trainer, watched step by step.")
    .option("--trainer <address>", "the trainer", serviceAddress, "127.0.0.1:50052")
    .requiredOption("--base <checkpoint>", "what to start from: a model's name or sha256:…", checkpoint)
    .requiredOption("--dataset <name>", "real images and captions", resourceName)
    .option("--split <name>", "part of the data set", resourceName, "train")
    .option("--iterations <count>", "iterations, K", wholeNumber(1, 1000), 1)
    .option("--steps <count>", "optimiser steps of an iteration", wholeNumber(1, 1_000_000), 50)
    .option("--batch <count>", "samples per optimiser step", wholeNumber(1, 65_536), 8)
    .addOption(new Option("--objective <name>", "what is minimised").choices(OBJECTIVES).default("spin-renoised"))
    .option("--beta <value>", "weight of the margin", positive, 5000)
    .option("--lambda <value>", "spin: λ of β_t = λT/2σ_t² in place of a constant β", positive)
    .addOption(
      new Option("--error-space <space>", "spin: where errors are measured")
        .choices(["epsilon", "mu"])
        .default("epsilon"),
    )
    .addOption(new Option("--reduction <how>", "spin: norm over C, H, W").choices(["mean", "sum"]).default("mean"))
    .option("--learning-rate <value>", "highest learning rate of AdamW", positive, 1e-5)
    .option("--weight-decay <value>", "decoupled weight decay", decimal(0, 100), 0.01)
    .option("--max-grad-norm <value>", "clip gradients to this norm; 0: never", decimal(0, 1e9), 1)
    .addOption(new Option("--schedule <kind>", "of the learning rate").choices(RATE_SCHEDULES).default("constant"))
    .option("--warmup <count>", "steps of linear warm-up", wholeNumber(0, 1_000_000), 0)
    .option("--schedule-steps <count>", "horizon of the decay; 0: --steps", wholeNumber(0, 1_000_000), 0)
    .option("--lora-rank <rank>", "train a LoRA of this rank; default: all weights", wholeNumber(1, 4096))
    .option("--lora-alpha <value>", "its alpha; default: the rank", positive)
    .option("--lora-targets <names>", "layers, as to_q,ff.net.2; default: to_q,to_k,to_v,to_out.0", listOfNames)
    .option("--draws <count>", "draws from each sample", wholeNumber(1, 1000), 1)
    .addOption(new Option("--timesteps <rule>", "of the draws").choices(TIMESTEP_RULES).default("stratified"))
    .option("--micro-batch <count>", "draws put through the graph at once; 0: all", wholeNumber(0, 65_536_000), 0)
    .option("--sampling-steps <count>", "sampling steps of the opponent", wholeNumber(1, 1000), 50)
    .addOption(new Option("--sampler <name>", "spin-renoised: its sampler; default: ddim").choices(SAMPLER_NAMES))
    .option("--eta <share>", "η of its DDIM", decimal(0, 1), 0)
    .option("--guidance <scale>", "its classifier-free guidance; 1: none", decimal(1, 100), 7.5)
    .option("--sampling-batch <count>", "samples computed together; a divisor of --batch", wholeNumber(1, 256))
    .option("--prompt-dropout <share>", "chance of the empty caption", decimal(0, 1), 0)
    .addOption(
      new Option("--crop <where>", "square cut from each image").choices(["center", "random"]).default("center"),
    )
    .option("--flip <share>", "chance of a mirrored image", decimal(0, 1), 0)
    .option("--resolution <pixels>", "side of the images; 0: the model's own", wholeNumber(0, 4096), 0)
    .option("--checkpoint-interval <count>", "steps between checkpoints; 0: at the end", wholeNumber(0, 1_000_000), 0)
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

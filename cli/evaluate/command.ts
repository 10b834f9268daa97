import { Command, InvalidArgumentError, Option } from "commander";
import { SAMPLER_NAMES } from "../../core/diffusion/pipeline-sampler.js";
import { SPACINGS } from "../../core/diffusion/timestep-spacing.js";
import { collect, decimal, patienceOption, wholeNumber } from "../options.js";
import { jobName, nameOf, resourceName, serviceAddress } from "../remote/references.js";
import { evaluatedCheckpoint, listOfScorers, seeds } from "./evaluation-spec.js";
import type { EvaluateSettings } from "./settings.js";

interface EvaluateOptions extends Omit<EvaluateSettings, "scorer"> {
  readonly evaluator: string;
  readonly scorers?: readonly string[];
  readonly scorer?: readonly string[];
  readonly report?: string;
  readonly table?: string;
  readonly name?: string;
  readonly patience: number;
  readonly json?: boolean;
}

const EXAMPLES = `
Examples:
  $ spin-diffusion evaluate --checkpoint base=base --checkpoint spin-1=sha256:1f0c…,60 --prompts emoji/winners
  $ spin-diffusion evaluate --checkpoint a=base --checkpoint b=base-2 --prompts emoji/winners --seeds 0,1 --report ab.html
  $ spin-diffusion evaluate --checkpoint a=base --prompts emoji/winners --table pictures.parquet
  $ spin-diffusion evaluate --checkpoint a=base --prompts emoji/winners \\
      --scorers pickscore=PickScore_v1,hps=HPS_v2.1_compressed.pt,imagereward=ImageReward.pt,aesthetic=sac+logos+ava1-l14-linearMSE.pth

Scorers' names say what they are: pickscore, hps, imagereward, aesthetic, clipscore; docs/scorers.md tells which files they take.
Every checkpoint gets the same prompts and the same noise. Win rates are over --baseline, with a paired bootstrap's 95 % interval.
Ctrl-C ends the watching, not the evaluation: the same command finds it again. An evaluator that is restarted is waited for
(--patience). One that failed goes on behind the pictures that were scored.`;

function tableFile(text: string): string {
  if (/\.(parquet|jsonl)$/.test(text)) return text;
  throw new InvalidArgumentError("Expected a file that ends with .parquet or .jsonl.");
}

/** `spin-diffusion evaluate`. */
export function evaluateCommand(): Command {
  return new Command("evaluate")
    .description("Compare checkpoints through a running evaluator: scores, win rates, distances to real images.")
    .option("--evaluator <address>", "the evaluator", serviceAddress, "127.0.0.1:50053")
    .requiredOption("--checkpoint <label=checkpoint[,steps]>", "what to compare; repeatable", evaluatedCheckpoint)
    .option("--baseline <label>", "what win rates are over; default: the first")
    .requiredOption("--prompts <name>", "prompt set, with real images for the distances", resourceName)
    .option("--split <name>", "part of the prompt set", resourceName, "test")
    .option("--max-prompts <count>", "prompts from the beginning of the set; 0: all", wholeNumber(0, 4_294_967_295), 0)
    .addOption(new Option("--seeds <list>", "one picture per prompt and seed").argParser(seeds).default([0n], "0"))
    .addOption(new Option("--sampler <name>", "default: each model's own").choices(SAMPLER_NAMES))
    .addOption(new Option("--spacing <name>", "where steps lie; default: as the model's file says").choices(SPACINGS))
    .option("--karras", "Karras's σ for euler and dpm; default: as the model's file says")
    .option("--zero-snr", "rescale the noise schedule to pure noise at its end; for v-prediction models")
    .option("--steps <count>", "sampling steps", wholeNumber(1, 1000), 50)
    .option("--eta <share>", "η of DDIM", decimal(0, 1), 0)
    .option("--guidance <scale>", "classifier-free guidance; 1: none", decimal(1, 100), 7.5)
    .option("--batch <count>", "pictures rendered together", wholeNumber(1, 256), 8)
    .option(
      "--scorer <name>",
      "scorer, repeatable; the first decides win rates (default: scorer)",
      collect(resourceName),
    )
    .option(
      "--scorers <list>",
      "scorers between commas, each name or name=path; paths are relative to the evaluator's MODEL_DIR",
      listOfScorers,
    )
    .option("--bootstrap <count>", "samples of the bootstrap", wholeNumber(100, 100_000), 2000)
    .option("--report <file>", "write the HTML report there")
    .option("--table <file>", "write the scores picture by picture: a .parquet or .jsonl file", tableFile)
    .option("--name <name>", "what the evaluation is known by; default: made from its settings", jobName)
    .addOption(patienceOption("an evaluator"))
    .option("--json", "print one line of JSON")
    .addHelpText("after", EXAMPLES)
    .action(async (options: EvaluateOptions) => {
      const { evaluator, scorer = [], scorers = [], report, table, name, patience, json, ...rest } = options;
      const { evaluateAndReport, formatOutcome } = await import("./evaluate.js");
      const named = [...scorer, ...scorers];
      const settings = { ...rest, scorer: named.length === 0 ? ["scorer"] : named };
      const plan = { evaluator, name: name ?? nameOf("evaluation", settings), settings, patience, report, table };
      const outcome = await evaluateAndReport(plan);
      process.stdout.write(json ? `${JSON.stringify(outcome)}\n` : formatOutcome(outcome));
    });
}

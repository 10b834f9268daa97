import { Command } from "commander";
import { collect, wholeNumber } from "../options.js";

interface PlanOptions {
  readonly set?: readonly string[];
  readonly modelDir: string;
  readonly model?: string;
  readonly dataDir: string;
  readonly dataIndexDir: string;
  readonly stateDir: string;
  readonly threads?: number;
  readonly probe: boolean;
  readonly json?: boolean;
}

const EXAMPLES = `
Examples:
  $ spin-diffusion plan recipes/emoji-spin.yaml --model-dir demo
  $ spin-diffusion plan recipes/spin-iter1.yaml --model-dir models --set gradientAccumulation=4 --json
  $ spin-diffusion plan recipes/spin-iter2.yaml --model models/stable-diffusion-v1-5 --no-probe

Counts what the recipe will do. The probe runs the UNet and the training step of the recipe's sizes for a short while, both at once as
they will be; the estimate is kept, and the run of the same recipe tells how good it was.`;

/** `spin-diffusion plan`. */
export function planCommand(): Command {
  return new Command("plan")
    .description("Tell what a recipe will take: steps, pictures, evaluations, memory, bytes, time.")
    .argument("<recipe>", "a YAML file, as those in recipes/")
    .option("--set <key=value>", "a value in place of the recipe's; repeatable", collect(String))
    .option("--model-dir <folder>", "folder with the services' models", "demo")
    .option("--model <folder>", "the model itself, where the recipe begins from a run or a digest")
    .option("--data-dir <folder>", "folder with the services' data sets", "data")
    .option("--data-index-dir <folder>", "where what is found out about them is kept", "runs/data-index")
    .option("--state-dir <folder>", "where the estimate is kept", "runs/local")
    .option("--threads <count>", "threads of each service; default: half of the cores", wholeNumber(1, 1024))
    .option("--no-probe", "measure nothing: no memory and no time")
    .option("--json", "print one line of JSON")
    .addHelpText("after", EXAMPLES)
    .action(async (file: string, { set = [], json, ...settings }: PlanOptions) => {
      const { parseOverride, readRecipe } = await import("../recipe/read-recipe.js");
      const { formatPlan, plan } = await import("./plan.js");
      const found = await plan(await readRecipe(file, set.map(parseOverride)), settings);
      process.stdout.write(json ? `${JSON.stringify(found)}\n` : formatPlan(found));
    });
}

import { Argument, Command, Option } from "commander";
import { seed, wholeNumber } from "../../cli/options.js";
import { runTool } from "../run-tool.js";
import { MODELS, type ModelName } from "./configs.js";
import { CLIP_TOKENIZER, type MakeOptions, makeModel } from "./make-model.js";

const program = new Command("make-model")
  .description("Write a Stable Diffusion folder with random weights, for measurements.")
  .addArgument(new Argument("<model>", "which").choices(MODELS))
  .argument("<folder>", "where")
  .addOption(new Option("--dtype <type>", "of all weights").choices(["F32", "F16"]).default("F32"))
  .option("--latents <side>", "height and width of the latents; default: 64, a quarter 32", wholeNumber(8, 256))
  .addOption(new Option("--seed <number>", "key of the weights").argParser(seed).default(1n, "1"))
  .option("--tokenizer <folder>", "vocabulary to take over; default: CLIP's, from the tests", CLIP_TOKENIZER)
  .action(async (model: ModelName, folder: string, options: MakeOptions) => {
    const { digest } = await makeModel(model, folder, options);
    process.stdout.write(`${folder}: ${digest}\n`);
  });
await runTool(program);

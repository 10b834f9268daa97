import { Command, Option } from "commander";
import { DEVICE_FORMS } from "../../core/graph/device.js";
import { decimal, wholeNumber } from "../options.js";
import { BENCHMARKS, type BenchmarkName, type BenchSettings } from "./settings.js";

type BenchOptions = Omit<BenchSettings, "device"> & { readonly device: string; readonly json?: boolean };

/** What each measures, and how often and how many steps where it is not said. */
const DEFAULTS: Record<
  BenchmarkName,
  { readonly description: string; readonly repeats: number; readonly steps: number }
> = {
  unet: { description: "One forward pass of the UNet.", repeats: 10, steps: 1 },
  sample: { description: "Sampling from noise to latents: DDIM with guidance.", repeats: 3, steps: 50 },
  step: { description: "One SPIN optimiser step on B real and B synthetic examples.", repeats: 5, steps: 1 },
  iteration: {
    description: "A whole SPIN iteration: B·S trajectories sampled with θ_k, then S optimiser steps.",
    repeats: 1,
    steps: 10,
  },
};

const EXAMPLES = `
Examples:
  $ spin-diffusion bench unet --model demo/base --batch 8
  $ spin-diffusion bench sample --model demo/base --batch 4 --steps 50 --json
  $ spin-diffusion bench step --model demo/base --batch 8 --reference given --profile step.txt
  $ spin-diffusion bench step --model demo/base --batch 8 --reference given --lora 8
  $ spin-diffusion bench iteration --model demo/base --batch 8 --steps 10

The folder needs unet/ and scheduler/ only; for --inputs pictures all else too. Each prints the median of --repeats
repetitions after one that is not counted, and the most memory that was resident at any time. bench/README.md tells how
to set PyTorch beside it.`;

/** `spin-diffusion bench …`. */
export function benchCommand(): Command {
  const command = new Command("bench")
    .description("Measure time and memory of a model folder.")
    .helpCommand(false)
    .addHelpText("after", EXAMPLES);
  for (const name of BENCHMARKS) command.addCommand(benchmark(name));
  return command;
}

/** All take all options, so that one line of a script serves for all. */
function benchmark(name: BenchmarkName): Command {
  const { description, repeats, steps } = DEFAULTS[name];
  return new Command(name)
    .description(description)
    .requiredOption("--model <folder>", "folder with unet/ and scheduler/ in diffusers' layout")
    .option("--batch <count>", "pictures at once; in training, examples on each side", wholeNumber(1, 4096), 1)
    .option("--steps <count>", "sample: sampling steps; iteration: optimiser steps", wholeNumber(1, 100_000), steps)
    .option("--sampling-steps <count>", "iteration: sampling steps of a trajectory", wholeNumber(1, 1000), 50)
    .addOption(
      new Option("--form <form>", "iteration: draws from trajectories, or samples noised again")
        .choices(["trajectory", "renoised"])
        .default("trajectory"),
    )
    .addOption(
      new Option("--inputs <what>", "iteration: real latents, or pictures and captions that it encodes")
        .choices(["latents", "pictures"])
        .default("latents"),
    )
    .option("--guidance <scale>", "sample, iteration: classifier-free guidance; 1: none", decimal(1, 100), 7.5)
    .addOption(
      new Option("--reference <how>", "step: θ_k evaluated beside θ, or its errors given with the draws")
        .choices(["evaluated", "given"])
        .default("evaluated"),
    )
    .option("--lora <rank>", "step, iteration: train a LoRA on the attention projections", wholeNumber(1, 4096))
    .option("--latents <side>", "height and width of the latents; default: the model's own", wholeNumber(1, 1024))
    .option("--tokens <count>", "length of the text states", wholeNumber(1, 4096), 77)
    .option("--repeats <count>", "measured repetitions", wholeNumber(1, 10_000), repeats)
    .addOption(new Option("--device <name>", `where it computes: ${DEVICE_FORMS}`).default("cpu").env("DEVICE"))
    .addOption(
      new Option("--precision <type>", "in what the UNet's products are computed")
        .choices(["float32", "float16", "bfloat16"])
        .default("float32"),
    )
    .option("--memory-budget-mb <MiB>", "step, iteration: memory for training, by estimate", wholeNumber(1, 10_000_000))
    .option("--threads <count>", "threads; default: one per core", wholeNumber(1, 1024))
    .option("--profile <file>", "write a table of the time that each operator takes")
    .option("--json", "print one line of JSON")
    .action(async ({ json, device: named, ...rest }: BenchOptions) => {
      const device = await (await import("../../core/runtime/devices.js")).requireDevice(named, "--device");
      const settings = { ...rest, device };
      const { runBench } = await import("./run-bench.js");
      const result = await runBench(name, settings);
      const text = `${name}: ${result.ms} ms (median of ${settings.repeats}), peak memory ${result.peak_rss_mb} MiB`;
      process.stdout.write(`${json ? JSON.stringify(result) : text}\n`);
    });
}

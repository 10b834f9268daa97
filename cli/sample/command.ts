import { Command, Option } from "commander";
import { SAMPLER_NAMES, type SamplerName } from "../../core/diffusion/pipeline-sampler.js";
import { SPACINGS, type TimestepSpacing } from "../../core/diffusion/timestep-spacing.js";
import { SpinError } from "../../core/errors.js";
import { DEVICE_FORMS } from "../../core/graph/device.js";
import { decimal, seed, wholeNumber } from "../options.js";

interface SampleOptions {
  readonly model: string;
  readonly prompt: string;
  readonly negativePrompt?: string;
  readonly steps: number;
  readonly guidance: number;
  readonly guidanceRescale: number;
  readonly clipSkip: number;
  readonly seed: bigint;
  readonly sampler?: SamplerName;
  readonly eta: number;
  readonly spacing?: TimestepSpacing;
  readonly karras?: boolean;
  readonly zeroSnr?: boolean;
  readonly num: number;
  readonly out: string;
  readonly variant?: string;
  readonly lora?: string;
  readonly loraScale?: number;
  readonly device: string;
  readonly threads?: number;
  readonly json?: boolean;
}

const EXAMPLES = `
Examples:
  $ spin-diffusion sample --model demo/base --prompt "woman singer, dark skin tone"
  $ spin-diffusion sample --model demo/base --prompt "blue heart" --seed 7 --num 4 --out hearts/
  $ spin-diffusion sample --model stable-diffusion-v1-5 --prompt "a fox in the snow" --negative-prompt blurry \\
      --sampler dpm --karras --steps 20 --out fox.png
  $ spin-diffusion sample --model stable-diffusion-v1-5 --prompt "a fox" --lora pytorch_lora_weights.safetensors

The same folder, settings and seed give the picture that diffusers' StableDiffusionPipeline (or XL) gives with
generator=torch.Generator("cpu").manual_seed(seed).`;

function loraMissing(): SpinError {
  return new SpinError("invalid", "--lora-scale is given without --lora", {
    field: "lora",
    remedy: "name a LoRA, too",
  });
}

/** `spin-diffusion sample`. */
export function sampleCommand(): Command {
  return new Command("sample")
    .description("Make pictures from a prompt with a model folder in diffusers' layout.")
    .requiredOption("--model <folder>", "model folder in diffusers' layout")
    .requiredOption("--prompt <text>", "what to show")
    .option("--negative-prompt <text>", "what to lead away from; default: what diffusers takes where nothing is said")
    .option("--steps <count>", "sampling steps", wholeNumber(1, 1000), 50)
    .option("--guidance <scale>", "scale of classifier-free guidance; 1: none", decimal(1, 100), 7.5)
    .option("--guidance-rescale <share>", "share of the way back to the unguided deviation", decimal(0, 1), 0)
    .option("--clip-skip <count>", "layers of the text encoders to leave out", wholeNumber(0, 256), 0)
    .addOption(new Option("--seed <number>", "seed of torch's generator").argParser(seed).default(0n, "0"))
    .addOption(new Option("--sampler <name>", "scheduler; default: the model's own").choices(SAMPLER_NAMES))
    .option("--eta <share>", "share of DDPM's noise that DDIM adds", decimal(0, 1), 0)
    .addOption(new Option("--spacing <name>", "where steps lie; default: as the model's file says").choices(SPACINGS))
    .option("--karras", "Karras's σ for euler and dpm; default: as the model's file says")
    .option("--zero-snr", "rescale the noise schedule to pure noise at its end; for v-prediction models")
    .option("--lora <path>", "LoRA for the UNet: a file, or a folder with pytorch_lora_weights.safetensors")
    .option("--lora-scale <value>", "how much of it; default: 1", decimal(-100, 100))
    .option("--num <count>", "pictures, made together", wholeNumber(1, 256), 1)
    .option("--out <path>", "a .png file, or a folder for several", "sample.png")
    .option("--variant <name>", "weight files to open, as fp16; default: those without a variant")
    .addOption(new Option("--device <name>", `where it computes: ${DEVICE_FORMS}`).default("cpu").env("DEVICE"))
    .option("--threads <count>", "threads; default: one per core", wholeNumber(1, 1024))
    .option("--json", "print one line of JSON")
    .addHelpText("after", EXAMPLES)
    .action(async (options: SampleOptions) => {
      const { samplePictures } = await import("./sample-pictures.js");
      const {
        num: count,
        out,
        json,
        device: named,
        lora: path,
        loraScale,
        karras: karrasSigmas,
        ...settings
      } = options;
      if (path === undefined && loraScale !== undefined) throw loraMissing();
      const lora = path === undefined ? undefined : { path, scale: loraScale ?? 1 };
      const device = await (await import("../../core/runtime/devices.js")).requireDevice(named, "--device");
      const result = await samplePictures({ ...settings, device, karrasSigmas, count, lora }, out);
      if (json) process.stdout.write(`${JSON.stringify({ ...result, seed: String(options.seed) })}\n`);
      else for (const file of result.files) process.stdout.write(`${file}\n`);
    });
}

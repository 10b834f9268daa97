import { Command, Option } from "commander";
import { decimal } from "../options.js";
import type { ConvertSettings, MergeSettings } from "./settings.js";

const EXAMPLES = `
Examples:
  $ spin-diffusion lora merge --model stable-diffusion-v1-5 --lora my-lora --out merged
  $ spin-diffusion lora unmerge --model merged --lora my-lora --out apart
  $ spin-diffusion lora convert --model stable-diffusion-v1-5 --lora old.safetensors --out pytorch_lora_weights.safetensors

--lora takes a file, or a folder with pytorch_lora_weights.safetensors, under any of diffusers' names. What unmerge gives
differs from the weights before merging by rounding: keep the model itself where every bit matters.`;

/** `spin-diffusion lora …`. */
export function loraCommand(): Command {
  const command = new Command("lora")
    .description("Merge a LoRA into a model's UNet, take it out, or write it under other names.")
    .helpCommand(false)
    .addHelpText("after", EXAMPLES);
  for (const name of ["merge", "unmerge"] as const) command.addCommand(mergeCommand(name));
  return command.addCommand(convertCommand());
}

function mergeCommand(name: "merge" | "unmerge"): Command {
  const description =
    name === "merge" ? "Write the model with the LoRA in its weights." : "Write it with the LoRA taken out.";
  return withModel(new Command(name).description(description))
    .option("--lora-scale <value>", "how much of it", decimal(-100, 100), 1)
    .requiredOption("--out <folder>", "folder to write, in diffusers' layout; the element types are the model's")
    .option("--json", "print one line of JSON")
    .action(async ({ json, ...settings }: MergeSettings & { readonly json?: boolean }) => {
      const { writeMerged } = await import("./write-lora.js");
      const digest = await writeMerged({ ...settings, loraScale: (name === "merge" ? 1 : -1) * settings.loraScale });
      process.stdout.write(
        `${json ? JSON.stringify({ folder: settings.out, digest }) : `${settings.out} is ${digest}`}\n`,
      );
    });
}

function convertCommand(): Command {
  return withModel(new Command("convert").description("Write the LoRA as one file under diffusers' names."))
    .addOption(
      new Option(
        "--keys <style>",
        "names: lora_A, as diffusers reads and PEFT writes them; or lora.down, as diffusers wrote them",
      )
        .choices(["peft", "diffusers"])
        .default("peft"),
    )
    .requiredOption("--out <file>", "file to write")
    .option("--json", "print one line of JSON")
    .action(async ({ json, ...settings }: ConvertSettings & { readonly json?: boolean }) => {
      const { convertLora } = await import("./write-lora.js");
      const layers = await convertLora(settings);
      process.stdout.write(
        `${json ? JSON.stringify({ file: settings.out, layers }) : `${settings.out}: ${layers} layers`}\n`,
      );
    });
}

function withModel(command: Command): Command {
  return command
    .requiredOption("--model <folder>", "model folder in diffusers' layout")
    .requiredOption("--lora <path>", "the LoRA's file or folder");
}

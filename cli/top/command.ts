import { Command } from "commander";
import { collect, wholeNumber } from "../options.js";
import { serviceAddress } from "../remote/references.js";
import type { TopOptions } from "./top.js";

const EXAMPLES = `
Examples:
  $ spin-diffusion top --generator 127.0.0.1:50051
  $ spin-diffusion top --once --json
  $ spin-diffusion top --pictures runs/evaluations --interval 5`;

/** `spin-diffusion top`. */
export function topCommand(): Command {
  return new Command("top")
    .description("Show a running system live: the newest iteration, its pace, generators, the last pictures.")
    .option("--trainer <address>", "the trainer", serviceAddress, "127.0.0.1:50052")
    .option("--generator <address>", "a generator to show; again for more", collect(serviceAddress))
    .option("--pictures <folder>", "folder on this machine whose newest pictures are named")
    .option("--interval <seconds>", "between two looks", wholeNumber(1, 3600), 2)
    .option("--once", "look once")
    .option("--json", "print one line of JSON for each look")
    .addHelpText("after", EXAMPLES)
    .action(async (options: TopOptions) => {
      const { top } = await import("./top.js");
      await top(options);
    });
}

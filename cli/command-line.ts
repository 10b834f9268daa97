import { Command, CommanderError } from "commander";
import { SpinError } from "../core/errors.js";
import { VERSION } from "../core/version.js";
import { benchCommand } from "./bench/command.js";
import { compareCommand } from "./compare/command.js";
import { dataCommand } from "./data/command.js";
import { evaluateCommand } from "./evaluate/command.js";
import { usageError, writeFailure } from "./failure.js";
import { keysCommand } from "./keys/command.js";
import { loraCommand } from "./lora/command.js";
import { planCommand } from "./plan/command.js";
import { callerOptions, useCallerFlags } from "./remote/caller.js";
import { reportCommand } from "./report/command.js";
import { runCommand } from "./run/command.js";
import { sampleCommand } from "./sample/command.js";
import { serveCommand } from "./serve/command.js";
import { topCommand } from "./top/command.js";

/** Exit codes: the work failed; it was asked for in a way that cannot be understood; Ctrl-C, as shells have it. */
const FAILED = 1;
const USAGE = 2;
const INTERRUPTED = 130;

/**
 * Runs `spin-diffusion` with these arguments. Errors go to standard error as one sentence with what to do about it, or with
 * `--json` to standard output as `{"error": {…}}`.
 * @returns the exit code: 0, 1 where the work failed, 2 for wrong usage, 130 where it was given up.
 */
export async function runCommandLine(args: readonly string[]): Promise<number> {
  const asJson = args.includes("--json");
  const program = createProgram(asJson);
  try {
    await program.parseAsync(args, { from: "user" });
    return 0;
  } catch (error) {
    if (!(error instanceof CommanderError)) {
      writeFailure(error, asJson);
      return error instanceof SpinError && error.kind === "cancelled" ? INTERRUPTED : FAILED;
    }
    if (error.exitCode === 0) return 0; // --help and --version
    if (asJson) writeFailure(usageError(error), asJson);
    return USAGE;
  }
}

function createProgram(asJson: boolean): Command {
  const program = new Command("spin-diffusion")
    .description("Fine-tune text-to-image diffusion models by self-play, sample them and measure them.")
    .version(VERSION)
    .helpCommand(false)
    .hook("preAction", (_, command) => useCallerFlags(command.optsWithGlobals()))
    .showHelpAfterError("(--help tells the options)");
  for (const option of callerOptions()) program.addOption(option);
  const quiet = { writeErr: () => undefined };
  const commands = [
    sampleCommand(),
    runCommand(),
    planCommand(),
    evaluateCommand(),
    compareCommand(),
    reportCommand(),
    loraCommand(),
    dataCommand(),
    serveCommand(),
    benchCommand(),
    keysCommand(),
    topCommand(),
  ];
  for (const command of commands) program.addCommand(command);
  for (const command of withSubcommands(program)) {
    command.exitOverride().configureHelp({ sortOptions: false, showGlobalOptions: true });
    if (command !== program) command.copyInheritedSettings(program);
    if (asJson) command.configureOutput(quiet);
  }
  return program;
}

function withSubcommands(command: Command): Command[] {
  return [command, ...command.commands.flatMap(withSubcommands)];
}

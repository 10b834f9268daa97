import { type Command, CommanderError } from "commander";
import { writeFailure } from "../cli/failure.js";

/** Runs a tool of this folder on the process's arguments; what goes wrong is one sentence on standard error and exit code 1, or 2 for wrong usage. */
export async function runTool(program: Command): Promise<void> {
  program.exitOverride().configureHelp({ sortOptions: false }).showHelpAfterError("(--help tells the options)");
  try {
    await program.parseAsync();
  } catch (error) {
    if (error instanceof CommanderError) process.exitCode = error.exitCode === 0 ? 0 : 2;
    else {
      writeFailure(error, false);
      process.exitCode = 1;
    }
  }
}

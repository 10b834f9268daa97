import { errorCode } from "../core/checkpoint/io-errors.js";
import { runCommandLine } from "./command-line.js";

process.stdout.on("error", (error) => {
  // Who read it has seen enough, as `… --help | head` has.
  if (errorCode(error) === "EPIPE") process.exit();
  throw error;
});
process.exitCode = await runCommandLine(process.argv.slice(2));

import type { CommanderError } from "commander";
import { SpinError } from "../core/errors.js";
import { asSpinError } from "../core/service/error-table.js";

/** What a command prints where it fails under `--json`. */
interface FailureJson {
  readonly error: {
    readonly kind: string;
    readonly message: string;
    readonly field?: string;
    readonly file?: string;
    readonly tensor?: string;
    readonly remedy?: string;
  };
}

/** Tells of a failure: `error: …` on standard error, or one line of JSON on standard output. */
export function writeFailure(error: unknown, asJson: boolean): void {
  const known = asSpinError(error);
  if (asJson) {
    process.stdout.write(`${JSON.stringify(failureJson(known))}\n`);
    return;
  }
  // A SpinError says it all; the stack of anything else is what its repair begins with.
  const text = error instanceof SpinError || !(error instanceof Error) ? known.message : error.stack;
  process.stderr.write(`${known.kind === "cancelled" ? "" : "error: "}${text}\n`);
}

function failureJson({ kind, message, details }: SpinError): FailureJson {
  const { field, file, tensor, remedy } = details;
  return { error: { kind, message, field, file, tensor, remedy } };
}

/** Wrong usage, in the same form as every other failure. */
export function usageError(error: CommanderError): SpinError {
  return new SpinError("invalid", error.message.replace(/^error: /, "").replace(/\.$/, ""), { remedy: "see --help" });
}

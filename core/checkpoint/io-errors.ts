import { SpinError } from "../errors.js";

/** @returns the operating system's code (as `ENOENT`) when `error` carries one. */
export function errorCode(error: unknown): string | undefined {
  if (typeof error !== "object" || error === null || !("code" in error)) return undefined;
  return typeof error.code === "string" ? error.code : undefined;
}

/**
 * Turns a failed file operation into a `SpinError` that names the path and a remedy.
 * A `SpinError` is handed back as it is, so that callers may wrap whole sections.
 */
export function toIoError(error: unknown, file: string, doing: "read" | "write"): SpinError {
  if (error instanceof SpinError) return error;
  const code = errorCode(error);
  const verb = doing === "read" ? "reading" : "writing";
  const details = { file, cause: error };
  switch (code) {
    case "ENOENT":
    case "ENOTDIR":
      return new SpinError("notFound", `${file} does not exist`, { ...details, remedy: "check the path" });
    case "ENOSPC":
    case "EDQUOT":
    case "EFBIG":
      return new SpinError("exhausted", `no space left ${verb} ${file}`, {
        ...details,
        remedy: "free space on that disk or choose another folder; what was saved before is untouched",
      });
    case "EIO":
      return new SpinError("exhausted", `the disk failed ${verb} ${file} (EIO)`, {
        ...details,
        remedy: "check the disk or choose another folder; what was saved before is untouched",
      });
    case "EACCES":
    case "EPERM":
    case "EROFS":
      return new SpinError("precondition", `not allowed: ${verb} ${file} (${code})`, {
        ...details,
        remedy: "grant this user access to it or choose another folder",
      });
    case "EISDIR":
      return new SpinError("invalid", `${file} is a folder, expected a file`, details);
    default: {
      const reason = error instanceof Error ? error.message : String(error);
      return new SpinError("internal", `${verb} ${file} failed: ${reason}`, details);
    }
  }
}

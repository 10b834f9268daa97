import { lstat, readlink, realpath } from "node:fs/promises";
import { dirname, isAbsolute, join, resolve, sep } from "node:path";
import { SpinError } from "./errors.js";

/** Longest path below a folder, in bytes of UTF-8: far below PATH_MAX, so that a folder before it leaves room. */
export const MAX_PATH_BYTES = 1024;
/** Longest segment, in bytes of UTF-8: what common file systems take. */
const MAX_SEGMENT_BYTES = 255;

/** Who named the path, for the error. */
export interface PathSource {
  /** Field of the request or key of the file that named it, as `spec.dataset.name`. */
  readonly field?: string;
  /** File that named it, as an index or a table. */
  readonly file?: string;
}

/**
 * Checks a path that came from outside (a request, an index file, a table) by its text alone: relative, with `/` between segments,
 * none of them empty, `.` or `..`, no backslash or control character, 1024 bytes at most and 255 a segment.
 *
 * @throws SpinError "invalid" that names the field and says what is wrong, without repeating a path that may be megabytes long
 */
export function checkContained(path: string, source: PathSource = {}): void {
  const problem = pathProblem(path);
  if (problem !== undefined) throw refused(problem, path, source);
}

/**
 * The real path of what `path` names below `folder`. Symbolic links are followed and must end below the folder too; what does not exist yet is
 * placed below the nearest folder that does, so the result may be written to.
 *
 * @param folder trusted: from the configuration
 * @param path from outside
 * @throws SpinError "invalid" where it would lead out of the folder or is malformed
 */
export async function containedPath(folder: string, path: string, source: PathSource = {}): Promise<string> {
  checkContained(path, source);
  const root = await realOf(resolve(folder));
  const real = await realOf(join(root, path)).catch((cause: NodeJS.ErrnoException) => {
    // Not the caller's: the folder may not be read, or the disk fails.
    if (cause.code !== "ELOOP" && cause.code !== "ENOTDIR") throw cause;
    throw refused(cause.code === "ELOOP" ? "is a symbolic link that never ends" : "leads through a file", path, source);
  });
  if (isBelow(real, root)) return real;
  throw refused("leads out of its folder by a symbolic link", path, source);
}

/** Whether a path is a folder itself or lies below it. Both absolute, both without links. */
function isBelow(path: string, folder: string): boolean {
  return path === folder || path.startsWith(folder.endsWith(sep) ? folder : folder + sep);
}

/** What is wrong with the text of a path from outside, as `is absolute`; undefined where nothing is. */
export function pathProblem(path: string): string | undefined {
  if (path === "") return "is empty";
  if (Buffer.byteLength(path) > MAX_PATH_BYTES) return `has more than ${MAX_PATH_BYTES} bytes`;
  // biome-ignore lint/suspicious/noControlCharactersInRegex: those are what is looked for
  if (/[\u0000-\u001f\u007f]/.test(path)) return "has a control character";
  if (path.includes("\\")) return "has a backslash";
  if (isAbsolute(path) || /^[A-Za-z]:/.test(path)) return "is absolute";
  const segments = path.split("/");
  if (segments.some((segment) => segment === "" || segment === "." || segment === "..")) {
    return "has a segment that is empty, . or ..";
  }
  const isLong = segments.some((segment) => Buffer.byteLength(segment) > MAX_SEGMENT_BYTES);
  return isLong ? `has a segment of more than ${MAX_SEGMENT_BYTES} bytes` : undefined;
}

function refused(problem: string, path: string, { field, file }: PathSource): SpinError {
  const shown = path.length <= 80 ? path : `${path.slice(0, 79)}…`;
  const where = field ?? file ?? "a path";
  return new SpinError("invalid", `${where}: expected a path below its folder, ${JSON.stringify(shown)} ${problem}`, {
    field,
    file,
    remedy: "name a file or folder that lies there, as a/b",
  });
}

/** Links allowed on the way, as Linux has it. */
const MAX_LINKS = 40;

/** The real path, as far as it exists, and the rest as it is. A dangling link counts as where it points. */
async function realOf(path: string, links = 0): Promise<string> {
  try {
    return await realpath(path);
  } catch (error) {
    const parent = dirname(path);
    if ((error as NodeJS.ErrnoException).code !== "ENOENT" || parent === path || links > MAX_LINKS) throw error;
    const isLink = await lstat(path).then(
      (entry) => entry.isSymbolicLink(),
      () => false,
    );
    if (isLink) return realOf(resolve(parent, await readlink(path)), links + 1);
    return join(await realOf(parent, links), path.slice(parent.length));
  }
}

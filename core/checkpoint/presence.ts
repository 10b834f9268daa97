import type { Dirent, Stats } from "node:fs";
import { readdir, stat } from "node:fs/promises";
import { errorCode, toIoError } from "./io-errors.js";

/** Errors of a path that leads to nothing. */
const ABSENT: ReadonlySet<string | undefined> = new Set(["ENOENT", "ENOTDIR", "ELOOP", "ENAMETOOLONG"]);

/**
 * Looks at something that may not be there. A disk that fails is not one that holds nothing: who took it for that would begin anew,
 * or say for good that there is no such thing.
 * @returns undefined where the path leads to nothing
 * @throws SpinError as `toIoError`, for every other error
 */
async function unlessAbsent<T>(path: string, look: Promise<T>): Promise<T | undefined> {
  try {
    return await look;
  } catch (error) {
    if (ABSENT.has(errorCode(error))) return undefined;
    throw toIoError(error, path, "read");
  }
}

/** What is at a path, links followed. @throws SpinError where that cannot be found out */
export function statOf(path: string): Promise<Stats | undefined> {
  return unlessAbsent(path, stat(path));
}

/** @throws SpinError where that cannot be found out */
export async function exists(path: string): Promise<boolean> {
  return (await statOf(path)) !== undefined;
}

/** @throws SpinError where that cannot be found out */
export async function isFile(path: string): Promise<boolean> {
  return (await statOf(path))?.isFile() ?? false;
}

/** @throws SpinError where that cannot be found out */
export async function isFolder(path: string): Promise<boolean> {
  return (await statOf(path))?.isDirectory() ?? false;
}

/** Names in a folder, in the order of their characters; none where there is no such folder. @throws SpinError where that cannot be found out */
export async function namesIn(folder: string): Promise<string[]> {
  const names = (await unlessAbsent(folder, readdir(folder))) ?? [];
  return names.sort((a, b) => (a < b ? -1 : 1));
}

/** Entries of a folder; none where there is no such folder. @throws SpinError where that cannot be found out */
export async function entriesIn(folder: string): Promise<Dirent[]> {
  return (await unlessAbsent(folder, readdir(folder, { withFileTypes: true }))) ?? [];
}

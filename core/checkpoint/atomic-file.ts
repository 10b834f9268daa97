import { mkdir, open, rename, rm } from "node:fs/promises";
import { dirname } from "node:path";
import { threadId } from "node:worker_threads";
import { toIoError } from "./io-errors.js";

let counter = 0;

/** Whether a file is one that `saveFile` was writing when its process was killed. */
export function isUnfinished(name: string): boolean {
  return /\.saving-\d+-\d+-\d+$/.test(name);
}

/**
 * Writes a small file so that after a crash it is there as it was or as it shall be, never in part.
 * @throws SpinError "exhausted" for a full disk; the file is then as it was
 */
export async function saveFile(path: string, content: string | Uint8Array): Promise<void> {
  const temporary = `${path}.saving-${process.pid}-${threadId}-${counter++}`;
  try {
    await mkdir(dirname(path), { recursive: true });
    const file = await open(temporary, "w");
    try {
      await file.writeFile(content);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => undefined);
    throw toIoError(error, path, "write");
  }
}

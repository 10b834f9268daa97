import { statfs } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { errorCode, toIoError } from "./checkpoint/io-errors.js";

/**
 * Bytes that this user may still write to the disk that holds a folder; of one that does not exist yet, to the disk that it would be made on.
 *
 * @throws SpinError "precondition" where the folder may not be looked at, "exhausted" where the disk fails
 */
export async function freeBytes(folder: string): Promise<number> {
  for (let place = resolve(folder); ; place = dirname(place)) {
    try {
      const { bavail, bsize } = await statfs(place);
      return bavail * bsize;
    } catch (error) {
      if (errorCode(error) !== "ENOENT" || place === dirname(place)) throw toIoError(error, place, "read");
    }
  }
}

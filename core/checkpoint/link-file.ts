import { constants, copyFile, link, mkdir, realpath } from "node:fs/promises";
import { dirname } from "node:path";
import { errorCode, toIoError } from "./io-errors.js";

/** Errors that say that a file system does not link here, not that something is wrong. */
const CANNOT_LINK: readonly (string | undefined)[] = ["EXDEV", "EPERM", "EMLINK", "ENOTSUP", "EOPNOTSUPP", "EACCES"];

/**
 * Gives a file a second name, or copies it where the file system does not link. Folders on the way are made.
 * @throws SpinError "notFound" for a missing file, "exhausted" for a full disk
 */
export async function linkOrCopy(from: string, to: string): Promise<void> {
  try {
    await mkdir(dirname(to), { recursive: true });
    // The file itself: a link to a link with a relative target would point nowhere.
    const source = await realpath(from);
    try {
      await link(source, to);
    } catch (error) {
      if (!CANNOT_LINK.includes(errorCode(error))) throw error;
      await copyFile(source, to, constants.COPYFILE_FICLONE);
    }
  } catch (error) {
    throw toIoError(error, to, "write");
  }
}

import { createHash } from "node:crypto";
import { mkdir, open } from "node:fs/promises";
import { dirname } from "node:path";
import { toIoError } from "../core/checkpoint/io-errors.js";
import type { ManifestFile } from "../core/checkpoint/manifest.js";
import { SpinError } from "../core/errors.js";
import { sleep } from "../core/service/deadline.js";
import { asSpinError } from "../core/service/error-table.js";

/** Bytes of a file from an offset on. */
export type ReadFrom = (offset: number, signal: AbortSignal) => AsyncIterable<Uint8Array>;

/** Attempts in a row that may bring nothing. */
const MAX_ATTEMPTS = 8;
const MAX_WAIT_MS = 5_000;

/**
 * Writes a file that comes in pieces, and goes on where it broke when the connection does.
 *
 * @param firstWaitMs wait before the second attempt; it doubles from then on
 * @throws SpinError `corrupt` for other bytes than the manifest says, `exhausted` for a full disk, `unavailable` after many attempts in vain
 */
export async function downloadFile(
  target: string,
  file: ManifestFile,
  read: ReadFrom,
  signal: AbortSignal,
  firstWaitMs = 200,
): Promise<void> {
  await mkdir(dirname(target), { recursive: true });
  const hash = createHash("sha256");
  let offset = 0;
  let failures = 0;
  const handle = await open(target, "wx").catch((error: unknown) => {
    throw toIoError(error, target, "write");
  });
  try {
    while (offset < file.size) {
      try {
        for await (const bytes of read(offset, signal)) {
          if (offset + bytes.length > file.size) throw wrong(file, `more than its ${file.size} bytes`);
          await handle.writeFile(bytes).catch((error: unknown) => {
            throw toIoError(error, target, "write");
          });
          hash.update(bytes);
          offset += bytes.length;
          if (bytes.length > 0) failures = 0;
        }
        if (offset < file.size)
          throw new SpinError("unavailable", `${file.path} ended at byte ${offset} of ${file.size}`);
      } catch (error) {
        if (asSpinError(error).kind !== "unavailable" || ++failures >= MAX_ATTEMPTS) throw error;
        await sleep(Math.min(MAX_WAIT_MS, firstWaitMs * 2 ** (failures - 1)), signal);
      }
    }
  } finally {
    await handle.close();
  }
  const sha256 = hash.digest("hex");
  if (sha256 !== file.sha256) throw wrong(file, `bytes with SHA-256 ${sha256}, expected ${file.sha256}`);
}

function wrong({ path }: ManifestFile, came: string): SpinError {
  return new SpinError("corrupt", `the checkpoint service sent ${came} for ${path}`, {
    file: path,
    remedy: "check the checkpoint's files at the trainer",
  });
}

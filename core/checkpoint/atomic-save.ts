import { mkdir, open, readdir, rename, rm, writeFile } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { threadId } from "node:worker_threads";
import { SpinError } from "../errors.js";
import { errorCode, toIoError } from "./io-errors.js";
import { digestFolder, MANIFEST_FILE, type Manifest, readManifest } from "./manifest.js";
import { exists } from "./presence.js";

/** Folders that saves of this process are writing to now. */
const active = new Set<string>();
let counter = 0;

/**
 * Writes a folder so that it is there whole or not at all, whatever happens meanwhile: its files go to a temporary folder
 * beside it, are synchronised to the disk, get a manifest last, and the folder is renamed into place. Leftovers of
 * saves whose process is gone are removed.
 * @param target the folder to be; saving the same content there again changes nothing
 * @param write fills the temporary folder, whose path it is given
 * @param digest makes the manifest of the temporary folder; a caller that knows files already spares reading them again
 * @returns the manifest, which the folder carries as `manifest.json`
 * @throws SpinError "exhausted" for a full or failing disk, "alreadyExists" when the folder holds something else
 */
export async function saveFolder(
  target: string,
  write: (temporary: string) => Promise<void>,
  digest: (folder: string) => Promise<Manifest> = digestFolder,
): Promise<Manifest> {
  const path = resolve(target);
  const parent = dirname(path);
  const temporary = join(parent, `.${basename(path)}.saving-${process.pid}-${threadId}-${counter++}`);
  active.add(temporary);
  try {
    await mkdir(parent, { recursive: true });
    await removeLeftovers(parent, basename(path));
    await mkdir(temporary);
    await write(temporary);
    const manifest = await digest(temporary);
    await syncTree(temporary);
    await writeFile(join(temporary, MANIFEST_FILE), `${JSON.stringify(manifest, undefined, 1)}\n`);
    await sync(join(temporary, MANIFEST_FILE));
    await sync(temporary);
    if (!(await isSavedAlready(path, manifest))) {
      await rename(temporary, path);
      await sync(parent);
    }
    return manifest;
  } catch (error) {
    // Errors of the system get a name and a remedy; a caller's own pass as they are.
    throw errorCode(error) === undefined ? error : toIoError(error, path, "write");
  } finally {
    // Gone already when it was renamed. A failing disk may refuse this too; the next save tries again.
    await rm(temporary, { recursive: true, force: true }).catch(() => undefined);
    active.delete(temporary);
  }
}

/** @returns whether the target holds this very content. @throws SpinError "alreadyExists" when it holds another */
async function isSavedAlready(path: string, manifest: Manifest): Promise<boolean> {
  if (!(await exists(path))) return false;
  const present = await readManifest(path).catch(() => undefined);
  if (present?.digest === manifest.digest) return true;
  throw new SpinError("alreadyExists", `${path} exists with other content (${present?.digest ?? "no manifest"})`, {
    file: path,
    remedy: "choose another folder, or remove that one",
  });
}

async function removeLeftovers(parent: string, name: string): Promise<void> {
  const prefix = `.${name}.saving-`;
  for (const entry of await readdir(parent)) {
    const match = entry.startsWith(prefix) ? /^(\d+)-\d+-\d+$/.exec(entry.slice(prefix.length)) : null;
    if (match === null || active.has(join(parent, entry)) || isAlive(Number(match[1]))) continue;
    await rm(join(parent, entry), { recursive: true, force: true });
  }
}

/** Whether another process of this id runs; one's own id, as 1 in every container, says nothing about an older save. */
function isAlive(pid: number): boolean {
  if (pid === process.pid) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return errorCode(error) === "EPERM";
  }
}

/** Synchronises every file and folder below, and the folder itself, to the disk. */
async function syncTree(folder: string): Promise<void> {
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) await syncTree(path);
    else await sync(path);
  }
  await sync(folder);
}

async function sync(path: string): Promise<void> {
  const handle = await open(path, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

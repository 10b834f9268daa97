import { mkdir, open, readFile, rename, rm, stat, utimes } from "node:fs/promises";
import { hostname } from "node:os";
import { join } from "node:path";
import * as z from "zod";
import { SpinError } from "../errors.js";
import { saveFile } from "./atomic-file.js";
import { errorCode, toIoError } from "./io-errors.js";

const LOCK_FILE = ".lock.json";

/** Who holds a folder. */
const holderSchema = z.object({
  pid: z.int(),
  host: z.string(),
  /** When the process began, as its system counts: a process number alone may have been given again. Empty where unknown. */
  started: z.string(),
  /** For people to read. */
  since: z.string(),
});
type Holder = z.infer<typeof holderSchema>;

export interface LockTimes {
  /** How often the holder shows that it lives, in milliseconds. */
  readonly heartbeatMs: number;
  /** How long a holder on another machine may be silent. Watched, not computed from times of day: clocks differ and jump. */
  readonly silenceMs: number;
}

const DEFAULT_TIMES: LockTimes = { heartbeatMs: 2_000, silenceMs: 10_000 };

/** A folder that this process has for itself. */
export interface FolderLock {
  release(): Promise<void>;
}

/**
 * Takes a folder for this process alone. A lock that a process left behind when it died is taken over: on this machine its process
 * number and beginning tell, on another one the heartbeat.
 * @throws SpinError "precondition" naming the holder where there is one
 */
export async function lockFolder(folder: string, times: LockTimes = DEFAULT_TIMES): Promise<FolderLock> {
  const file = join(folder, LOCK_FILE);
  const own: Holder = {
    pid: process.pid,
    host: hostname(),
    started: await beginningOf(process.pid),
    since: new Date().toISOString(),
  };
  try {
    await mkdir(folder, { recursive: true });
    while (!(await create(file, own))) await removeStale(file, times);
  } catch (error) {
    throw toIoError(error, file, "write");
  }
  const heartbeat = setInterval(() => {
    const now = new Date();
    utimes(file, now, now).catch(() => undefined); // A disk that fails here fails elsewhere too, where it is told.
  }, times.heartbeatMs);
  heartbeat.unref();
  return {
    release: async () => {
      clearInterval(heartbeat);
      const holder = await readHolder(file);
      if (holder !== undefined && isSame(holder, own)) await rm(file, { force: true });
    },
  };
}

/** @returns whether the lock was free. */
async function create(file: string, own: Holder): Promise<boolean> {
  try {
    const handle = await open(file, "wx");
    try {
      await handle.writeFile(`${JSON.stringify(own)}\n`);
      await handle.sync();
    } finally {
      await handle.close();
    }
    return true;
  } catch (error) {
    if (errorCode(error) === "EEXIST") return false;
    throw error;
  }
}

/** Removes a dead process's lock. @throws SpinError "precondition" for a living one's */
async function removeStale(file: string, { silenceMs }: LockTimes): Promise<void> {
  const before = await beat(file);
  if (before === undefined) return; // Released meanwhile.
  const holder = await readHolder(file);
  const isHere = holder?.host === hostname();
  if (isHere && (await isAlive(holder))) throw held(file, holder);
  if (!isHere) {
    // Another machine's, or a file that its writer did not finish: does it still change?
    await new Promise((resolve) => setTimeout(resolve, silenceMs));
    const now = await beat(file);
    if (now === undefined) return;
    if (now !== before) throw held(file, holder);
  }
  // Renamed first, so that of two processes that found it stale only one removes it, and never the other's new one.
  const aside = `${file}.stale-${process.pid}`;
  try {
    await rename(file, aside);
  } catch (error) {
    if (errorCode(error) === "ENOENT") return;
    throw error;
  }
  const taken = await readHolder(aside);
  if (taken !== undefined && (holder === undefined || !isSame(taken, holder))) {
    await saveFile(file, `${JSON.stringify(taken)}\n`); // A new holder's, taken away by mistake: given back.
  }
  await rm(aside, { force: true });
}

/** When the lock was last touched; undefined where there is none. */
async function beat(file: string): Promise<number | undefined> {
  return stat(file).then(
    ({ mtimeMs }) => mtimeMs,
    () => undefined,
  );
}

async function readHolder(file: string): Promise<Holder | undefined> {
  try {
    return holderSchema.safeParse(JSON.parse(await readFile(file, "utf8"))).data;
  } catch {
    return undefined; // Gone, or not finished.
  }
}

function isSame(a: Holder, b: Holder): boolean {
  return a.pid === b.pid && a.host === b.host && a.started === b.started && a.since === b.since;
}

async function isAlive({ pid, started }: Holder): Promise<boolean> {
  try {
    process.kill(pid, 0);
  } catch (error) {
    if (errorCode(error) !== "EPERM") return false;
  }
  return (await beginningOf(pid)) === started;
}

/** When a process began, in ticks since its machine did (Linux alone tells). */
async function beginningOf(pid: number): Promise<string> {
  const text = await readFile(`/proc/${pid}/stat`, "utf8").catch(() => "");
  return text.slice(text.lastIndexOf(")") + 2).split(" ")[19] ?? ""; // Field 22; names may hold spaces and brackets.
}

function held(file: string, holder: Holder | undefined): SpinError {
  const who = holder
    ? `process ${holder.pid} on ${holder.host}, since ${holder.since}`
    : "a process that did not say its name";
  return new SpinError("precondition", `the folder is in use by ${who}`, {
    file,
    remedy: "end that process or choose another folder",
  });
}

import { readFile } from "node:fs/promises";

/** Linux counts processes' time in hundredths of a second. */
const TICKS_PER_SECOND = 100;

/** Seconds that all threads of a process have computed, its system calls included; 0 where the system has no /proc. */
export function processorSeconds(pid: number): Promise<number> {
  return secondsOf(`/proc/${pid}/stat`);
}

/** The same of its main thread alone: of Node's event loop, where nothing is computed that has a worker. */
export function mainThreadSeconds(pid: number): Promise<number> {
  return secondsOf(`/proc/${pid}/task/${pid}/stat`);
}

async function secondsOf(file: string): Promise<number> {
  const stat = await readFile(file, "utf8").catch(() => "");
  // The name, in brackets, may hold anything; user and system time are the 12th and 13th fields behind it.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11] ?? 0) + Number(fields[12] ?? 0)) / TICKS_PER_SECOND;
}

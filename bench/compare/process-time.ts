import { readFile } from "node:fs/promises";

/** Linux counts processes' time in hundredths of a second. */
const TICKS_PER_SECOND = 100;

/**
 * Seconds that the main thread of a process has worked, its system calls included; 0 where the system has no /proc. In Node's it is the event
 * loop's, where nothing is computed that has a worker.
 */
export async function mainThreadSeconds(pid: number): Promise<number> {
  const stat = await readFile(`/proc/${pid}/task/${pid}/stat`, "utf8").catch(() => "");
  // The name, in brackets, may hold anything; user and system time are the 12th and 13th fields behind it.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11] ?? 0) + Number(fields[12] ?? 0)) / TICKS_PER_SECOND;
}

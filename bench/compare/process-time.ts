import { readFile } from "node:fs/promises";

/** Linux counts processes' time in hundredths of a second. */
const TICKS_PER_SECOND = 100;

/** Seconds that all threads of a process have computed, its system calls included; 0 where the system has no /proc. */
export async function processorSeconds(pid: number): Promise<number> {
  const stat = await readFile(`/proc/${pid}/stat`, "utf8").catch(() => "");
  // The name, in brackets, may hold anything; user and system time are the 12th and 13th fields behind it.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11] ?? 0) + Number(fields[12] ?? 0)) / TICKS_PER_SECOND;
}

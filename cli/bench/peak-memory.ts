import { readFile } from "node:fs/promises";

/**
 * The most memory that this process had resident at any time, in MiB. Benchmarks start no other processes, so it is that of the
 * whole process tree.
 */
export async function peakMemory(): Promise<number> {
  // Of this program alone: what the system call reports may still be that of the process that started it.
  const status = await readFile("/proc/self/status", "utf8").catch(() => "");
  const kilobytes = /^VmHWM:\s+(\d+) kB$/m.exec(status)?.[1];
  return (kilobytes === undefined ? process.resourceUsage().maxRSS : Number(kilobytes)) / 1024;
}

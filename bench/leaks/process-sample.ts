import { readdir, readFile } from "node:fs/promises";
import { childrenOf } from "../compare/process-tree.js";

/** What a process holds. */
export interface ProcessSample {
  /** Resident memory, in KiB. */
  readonly resident: number;
  /** Open files, sockets, pipes and timers' descriptors. */
  readonly handles: number;
  /** With several threads per operator each onnxruntime session has threads of its own: one that is not released shows here. */
  readonly threads: number;
  /** Processes that it has started. */
  readonly children: number;
}

/** Looks at a process through /proc, which Linux has. @throws Error where there is no such process */
export async function sampleProcess(pid: number): Promise<ProcessSample> {
  const status = await readFile(`/proc/${pid}/status`, "utf8");
  const number = (key: string) => Number(new RegExp(`^${key}:\\s+(\\d+)`, "m").exec(status)![1]);
  return {
    resident: number("VmRSS"),
    handles: (await readdir(`/proc/${pid}/fd`)).length,
    threads: number("Threads"),
    children: (await childrenOf(pid)).length,
  };
}

/** Looks again until two looks in a row find the same handles, threads and children: what has ended takes a moment to be gone. */
export async function settledSample(pid: number, patienceMs = 3000): Promise<ProcessSample> {
  const end = performance.now() + patienceMs;
  let before = await sampleProcess(pid);
  for (;;) {
    await new Promise((resolve) => setTimeout(resolve, 100));
    const now = await sampleProcess(pid);
    const isSame = (["handles", "threads", "children"] as const).every((key) => now[key] === before[key]);
    if (isSame || performance.now() > end) return now;
    before = now;
  }
}

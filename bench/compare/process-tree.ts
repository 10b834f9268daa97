import { readdir, readFile } from "node:fs/promises";

/** Resident memory of a process and all that it has started, in MiB; 0 where the system has no /proc, or the process has ended. */
export async function treeMemory(pid: number): Promise<number> {
  const [own, children] = await Promise.all([residentMemory(pid), childrenOf(pid)]);
  const theirs = await Promise.all(children.map(treeMemory));
  return theirs.reduce((sum, one) => sum + one, own);
}

/** Resident memory of one process, in MiB; 0 as above. */
export async function residentMemory(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, "utf8").catch(() => "");
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1] ?? 0) / 1024;
}

/** Processes that a process has started; each of its threads knows its own. */
export async function childrenOf(pid: number): Promise<number[]> {
  const threads = await readdir(`/proc/${pid}/task`).catch(() => []);
  const lists = threads.map((thread) => readFile(`/proc/${pid}/task/${thread}/children`, "utf8").catch(() => ""));
  return (await Promise.all(lists)).flatMap((list) => list.split(" ").filter(Boolean).map(Number));
}

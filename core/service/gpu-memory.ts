import { execFile } from "node:child_process";
import { promisify } from "node:util";

/** Memory of one GPU, in bytes. */
export interface GpuMemory {
  /** nvidia-smi's number. */
  readonly index: string;
  readonly used: number;
  readonly total: number;
}

const run = promisify(execFile);
const ARGUMENTS = ["--query-gpu=index,memory.used,memory.total", "--format=csv,noheader,nounits"];

/** Asks nvidia-smi; nothing where there is none. */
export async function gpuMemory(command = "nvidia-smi"): Promise<GpuMemory[]> {
  const { stdout } = await run(command, ARGUMENTS, { timeout: 5_000 }).catch(() => ({ stdout: "" }));
  return parseGpuMemory(stdout);
}

/** Reads lines as `0, 1024, 81559`, in MiB. */
export function parseGpuMemory(text: string): GpuMemory[] {
  return text.split("\n").flatMap((line) => {
    const match = /^\s*(\d+)\s*,\s*(\d+)\s*,\s*(\d+)\s*$/.exec(line);
    if (match === null) return [];
    const [, index, used, total] = match;
    return [{ index: index!, used: Number(used) * 2 ** 20, total: Number(total) * 2 ** 20 }];
  });
}

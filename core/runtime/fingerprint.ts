import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { arch, cpus } from "node:os";
import { type Device, deviceParts } from "../graph/device.js";
import { nvidiaGpus } from "./nvidia-gpus.js";

/** Everything that rounding depends on, besides the batch: on CPU, equal environments promise equal bits. */
export interface ComputeEnvironment {
  /** Inference runtime and version. */
  readonly runtime: string;
  /** Execution provider. */
  readonly provider: string;
  /** CPU instruction set that kernels are chosen by, or the GPU's model. */
  readonly instructionSet: string;
  /** Threads within one operator; 1 on a GPU. */
  readonly threads: number;
}

/** Extensions by which onnxruntime's CPU kernels are chosen (MlasPlatform), by their names in /proc/cpuinfo. */
const EXTENSIONS = [
  ...["avx", "avx2", "fma", "avx512f", "avx512bw", "avx512dq", "avx512vl", "avx512_vnni", "avx_vnni", "avx512_bf16"],
  ...["amx_int8", "amx_bf16", "asimd", "asimddp", "asimdhp", "i8mm", "bf16", "sve", "sve2"],
];

/** What this process computes with. */
export async function computeEnvironment(device: Device, threads: number): Promise<ComputeEnvironment> {
  const { version } = createRequire(import.meta.url)("onnxruntime-node/package.json") as { version: string };
  const { provider, index } = deviceParts(device);
  const onCpu = provider === "cpu";
  return {
    runtime: `onnxruntime-node ${version}`,
    provider,
    instructionSet: onCpu ? await cpuInstructionSet() : ((await nvidiaGpus())[index] ?? "unknown GPU"),
    threads: onCpu ? threads : 1,
  };
}

/** The processor, as its maker calls it. */
export function processorName(): string {
  return cpus()[0]?.model.trim() || arch();
}

async function cpuInstructionSet(): Promise<string> {
  const cpuinfo = await readFile("/proc/cpuinfo", "utf8").catch(() => ""); // Linux alone has it.
  return instructionSetOf(arch(), cpuinfo) ?? `${arch()} ${processorName()}`;
}

/** @returns as `x64 avx avx2 fma`; undefined where /proc/cpuinfo tells no extensions. */
export function instructionSetOf(architecture: string, cpuinfo: string): string | undefined {
  const flags = /^(?:flags|Features)\s*:(.*)$/m.exec(cpuinfo)?.[1]?.split(" ");
  if (flags === undefined) return undefined;
  return [architecture, ...EXTENSIONS.filter((extension) => flags.includes(extension))].join(" ");
}

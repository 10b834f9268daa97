import { execFile } from "node:child_process";
import { stat } from "node:fs/promises";
import { createRequire } from "node:module";
import { availableParallelism } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { SpinError } from "../errors.js";
import { DEVICE_FORMS, type Device, deviceParts, executionProvider, parseDevice } from "../graph/device.js";
import { processorName } from "./fingerprint.js";
import { nvidiaGpus } from "./nvidia-gpus.js";
import { compiled } from "./worker-client.js";

/** A device, or a kind of which there is none. */
export interface DeviceReport {
  readonly device: Device;
  /** As its maker calls it, where that is known. */
  readonly name?: string;
  /** Why it does not compute here; absent: it does. */
  readonly problem?: string;
}

/**
 * Reads a device's name and makes sure that it computes here.
 * @param text as a person wrote it
 * @param field where they wrote it
 * @throws SpinError "invalid" for what is no device's name, "precondition" for a device that this build or machine lacks; either lists what there is
 */
export async function requireDevice(text: string, field = "device"): Promise<Device> {
  const device = parseDevice(text);
  if (device === undefined) {
    throw new SpinError("invalid", `${field}: "${text}" is no device, expected ${DEVICE_FORMS}; ${await inventory()}`, {
      field,
    });
  }
  if (device === "cpu") return device;
  const problem = await probe(device);
  if (problem === undefined) return device;
  const reports = await listDevices();
  throw new SpinError("precondition", `${field}: "${text}" does not work here (${problem}); ${describe(reports)}`, {
    field,
    remedy: "name one that is there, or install what is missing (docs/devices.md)",
  });
}

/** Every device that this build could use here, each with why it cannot; takes a process of its own for each. */
export async function listDevices(): Promise<DeviceReport[]> {
  const gpus = await nvidiaGpus();
  const cuda = gpus.length === 0 ? [undefined] : gpus;
  const probed: { device: Device; name?: string }[] = [
    ...cuda.map((name, index) => ({ device: `cuda:${index}` as const, name })),
    { device: "webgpu:0" },
  ];
  const reports = await Promise.all(probed.map(async (report) => ({ ...report, problem: await probe(report.device) })));
  return [{ device: "cpu", name: `${processorName()}, ${availableParallelism()} threads` }, ...reports];
}

async function inventory(): Promise<string> {
  return describe(await listDevices());
}

function describe(reports: readonly DeviceReport[]): string {
  const named = ({ device, name }: DeviceReport) => (name === undefined ? device : `${device} (${name})`);
  const [there, missing] = [reports.filter((one) => !one.problem), reports.filter((one) => one.problem)];
  const absent = missing.map((one) => `${named(one)}: ${one.problem}`);
  const notThere = absent.length === 0 ? "" : `; not usable: ${absent.join("; ")}`;
  return `there is ${there.map(named).join(", ")}${notThere}`;
}

/** Loading drivers takes seconds; a driver that hangs is no device. */
const PROBE_MS = 60_000;

/** Why a device does not compute a sum here; undefined where it does. */
async function probe(device: Device): Promise<string | undefined> {
  const { provider, index } = deviceParts(device);
  try {
    executionProvider(device);
  } catch (error) {
    return (error as SpinError).message;
  }
  if (provider === "cuda") {
    const missing = await missingCuda();
    if (missing !== undefined) return missing;
    const gpus = await nvidiaGpus();
    if (gpus.length > 0 && index >= gpus.length) return `the driver tells of ${gpus.length} GPUs, counted from 0`;
  }
  return runProbe(fileURLToPath(compiled(new URL("./probe-device.js", import.meta.url))), device);
}

/**
 * Has another process compute on a device, so that a driver's crash is no more than an answer.
 * @param entry the program, as `probe-device.ts`
 * @returns why it does not work; undefined where it does
 */
export function runProbe(entry: string, device: Device, timeout = PROBE_MS): Promise<string | undefined> {
  return new Promise((resolve) => {
    const options = { timeout, maxBuffer: 2 ** 22 };
    execFile(process.execPath, [entry, device], options, (error, _stdout, stderr) => {
      if (error === null) resolve(undefined);
      else resolve(reason(stderr) ?? `the check ended with ${error.signal ?? `code ${error.code}`}`);
    });
  });
}

/** The error of the probe's end, without what comes before it and onnxruntime's places in its sources. */
function reason(stderr: string): string | undefined {
  const said = /^probe: (.*)$/m.exec(stderr)?.[1];
  if (said?.includes("WebGPU adapter"))
    return "no WebGPU adapter: it needs a GPU with a Vulkan driver, and libvulkan.so.1";
  return said?.replace(/^onnxruntime refused the graph: /, "");
}

/** Which file of the CUDA provider is not beside onnxruntime-node's own, if any. */
async function missingCuda(): Promise<string | undefined> {
  const folder = runtimeFolder();
  for (const file of ["libonnxruntime_providers_shared.so", "libonnxruntime_providers_cuda.so"]) {
    const isThere = await stat(join(folder, file)).then(
      () => true,
      () => false,
    );
    if (!isThere) return `this build has no CUDA provider: ${file} is not in ${folder}`;
  }
  return undefined;
}

/** Where onnxruntime-node keeps its libraries for this machine. */
function runtimeFolder(): string {
  const root = dirname(createRequire(import.meta.url).resolve("onnxruntime-node/package.json"));
  return join(root, "bin/napi-v6", process.platform, process.arch);
}

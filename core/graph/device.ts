import { SpinError } from "../errors.js";

/** Where graphs run: an execution provider of onnxruntime, and which of its devices; the first where no number is said. */
export type Device = "cpu" | `${Accelerator}` | `${Accelerator}:${number}`;

export type Accelerator = "cuda" | "webgpu";

/** What --help says of devices. */
export const DEVICE_FORMS = "cpu, cuda:N or webgpu:N";

/** A device's parts. */
export interface DeviceParts {
  readonly provider: "cpu" | Accelerator;
  /** From 0. */
  readonly index: number;
}

/** Reads `cpu`, `cuda`, `cuda:1`, `webgpu`, `webgpu:0`; undefined for anything else. Two forms of one device come out alike. */
export function parseDevice(text: string): Device | undefined {
  const [, provider, index = "0"] = /^(cpu|cuda|webgpu)(?::(\d{1,4}))?$/.exec(text) ?? [];
  if (provider === undefined || (provider === "cpu" && index !== "0")) return undefined;
  return provider === "cpu" ? "cpu" : `${provider as Accelerator}:${Number(index)}`;
}

/** @throws SpinError "internal" for a text that {@link parseDevice} does not know */
export function deviceParts(device: Device): DeviceParts {
  const known = parseDevice(device);
  if (known === undefined) throw new SpinError("internal", `"${device}" is no device`);
  const [provider, index = "0"] = known.split(":") as [DeviceParts["provider"], string?];
  return { provider, index: Number(index) };
}

/**
 * The execution provider's form for onnxruntime-node.
 * @throws SpinError "precondition" for a second WebGPU device: onnxruntime-node's provider takes the one that the driver puts first, and has no
 *   option to choose another.
 */
export function executionProvider(device: Device): string | { readonly name: string; readonly deviceId: number } {
  const { provider, index } = deviceParts(device);
  if (provider === "cuda") return { name: provider, deviceId: index };
  if (index === 0) return provider;
  const message = `onnxruntime's WebGPU provider computes on the first adapter alone, "${device}" asks for another`;
  throw new SpinError("precondition", message, {
    field: "device",
    remedy: "name webgpu:0, and have the Vulkan driver put the adapter first (VK_DRIVER_FILES, MESA_VK_DEVICE_SELECT)",
  });
}

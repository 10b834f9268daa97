import type { LoraAdapter } from "../models/lora.js";
import { LORA_A, LORA_B, mergeLora } from "../nn/lora.js";
import type { SafetensorsFile } from "./safetensors.js";
import type { TensorInfo } from "./safetensors-header.js";
import { tensorBytes } from "./write-safetensors.js";

/**
 * Sees a model's weights with an adapter merged in: W + scale·(alpha / rank)·B·A, rounded once, computed when it is read.
 * The file stays as it is and is where the weights without the adapter are had, to the bit. Where only merged weights are
 * left, a scale of −1 takes the adapter out again, within one rounding of W and one of the sum.
 *
 * @param weights all layers of the adapter among them, in shapes that fit.
 */
export function mergedWeights(weights: SafetensorsFile, adapter: LoraAdapter, scale = 1): SafetensorsFile {
  const modules = new Map([...adapter.layers.keys()].map((module) => [`${module}.weight`, module]));
  const merged = async (name: string, module: string) => {
    const [a, b] = [LORA_A, LORA_B].map((side) => adapter.weights.get(`${module}.${side}`)!);
    return mergeLora(await weights.readFloat32(name), a!, b!, adapter.layers.get(module)!, scale);
  };
  const readFloat32 = (name: string) => {
    const module = modules.get(name);
    return module === undefined ? weights.readFloat32(name) : merged(name, module);
  };
  return {
    ...weights,
    tensors: new Map([...weights.tensors].map(([name, info]) => [name, modules.has(name) ? asFloat32(info) : info])),
    computed: new Set(modules.keys()),
    read: async (name) =>
      modules.has(name) ? new Uint8Array((await readFloat32(name)).buffer) : await weights.read(name),
    readFloat32,
  };
}

function asFloat32(info: TensorInfo): TensorInfo {
  return { ...info, dtype: "F32", byteLength: tensorBytes("F32", info.shape) };
}

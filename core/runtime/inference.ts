import { basename, dirname } from "node:path";
import type { SafetensorsFile } from "../checkpoint/safetensors.js";
import { SpinError } from "../errors.js";
import { type EmitOptions, emitModel } from "../graph/onnx.js";
import { Session, type SessionOptions } from "../graph/session.js";
import type { Shape, Value } from "../graph/value.js";
import { Parameters } from "../nn/parameters.js";

/** Weights as constants of a graph: how its parameters are bound, and what its session needs for that. */
export interface BoundWeights extends Pick<SessionOptions, "externalData" | "weightsFolder"> {
  readonly external: NonNullable<EmitOptions["external"]>;
}

/**
 * Compiles a model with its weights bound as constants, so that onnxruntime may lay them out for its kernels.
 * F32 tensors are mapped from the file, at their offsets; other types are converted in memory.
 *
 * @param build makes the outputs from parameters under the file's names.
 * @throws SpinError "invalid" naming file and tensor where one is missing or has another shape.
 */
export async function createInference(
  build: (p: Parameters) => Readonly<Record<string, Value>>,
  weights: SafetensorsFile,
  options: SessionOptions = {},
): Promise<Session> {
  const p = new Parameters();
  const outputs = build(p);
  const shapes = new Map([...p.all()].map(([name, { shape }]) => [name, shape]));
  const { external, ...data } = await bindWeights(shapes, weights);
  return Session.create(emitModel(outputs, { external }), { ...options, ...data });
}

const CONVERTED = "converted";

/**
 * Where each parameter's bytes lie: in the file, or in one buffer of converted or computed values.
 * @param shapes of the parameters to bind.
 * @throws SpinError "invalid" naming file and tensor where one is missing or has another shape.
 */
export async function bindWeights(shapes: ReadonlyMap<string, Shape>, weights: SafetensorsFile): Promise<BoundWeights> {
  const converted = new Map<string, { offset: number; values: Float32Array }>();
  let length = 0;
  for (const [name, shape] of shapes) {
    const tensor = expectTensor(weights, name, shape);
    if (tensor.dtype === "F32" && !weights.computed?.has(name)) continue;
    const values = await weights.readFloat32(name);
    converted.set(name, { offset: length, values });
    length += values.byteLength;
  }
  const buffer = new Uint8Array(length);
  for (const { offset, values } of converted.values()) {
    buffer.set(new Uint8Array(values.buffer, values.byteOffset, values.byteLength), offset);
  }
  const external = (name: string) => {
    if (!shapes.has(name)) return undefined;
    const { file, shape, offset, byteLength } = weights.tensors.get(name)!;
    const inMemory = converted.get(name);
    const place =
      inMemory === undefined
        ? { location: basename(file), offset, byteLength }
        : { location: CONVERTED, offset: inMemory.offset, byteLength: inMemory.values.byteLength };
    return { dtype: "float32" as const, shape, ...place };
  };
  return {
    external,
    weightsFolder: dirname(weights.path), // shards lie beside their index
    ...(length === 0 ? {} : { externalData: [{ path: CONVERTED, data: buffer }] }),
  };
}

/** The tensor under a name. @throws SpinError "invalid" where it is missing or its shape is not the model's. */
export function expectTensor(weights: SafetensorsFile, name: string, shape: readonly number[]) {
  const tensor = weights.tensors.get(name);
  const where = { file: weights.path, tensor: name };
  if (tensor === undefined) {
    const remedy = "is this the weight file that belongs to the config.json beside it?";
    throw new SpinError("invalid", `${weights.path} has no tensor "${name}", which its config asks for`, {
      ...where,
      remedy,
    });
  }
  if (tensor.shape.join() !== shape.join()) {
    const message = `${weights.path}: tensor "${name}" has shape [${tensor.shape}], its config asks for [${shape}]`;
    throw new SpinError("invalid", message, where);
  }
  return tensor;
}

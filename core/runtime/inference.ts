import { basename, dirname } from "node:path";
import type { SafetensorsFile } from "../checkpoint/safetensors.js";
import type { TensorInfo } from "../checkpoint/safetensors-header.js";
import { SpinError } from "../errors.js";
import { type EmitOptions, type ExternalTensor, emitModel } from "../graph/onnx.js";
import { Session, type SessionOptions } from "../graph/session.js";
import { type Shape, sizeOf, type Value } from "../graph/value.js";
import { Parameters } from "../nn/parameters.js";

/** Weights as constants of a graph: how its parameters are bound, and what its session needs for that. */
export interface BoundWeights extends Pick<SessionOptions, "externalData" | "weightsFolder"> {
  readonly external: NonNullable<EmitOptions["external"]>;
}

/**
 * Compiles a model with its weights bound as constants, so that onnxruntime may lay them out for its kernels.
 * F32 tensors are mapped from the file, at their offsets; where there are others, all are converted in memory.
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

/**
 * Where each parameter's bytes lie: in the file where all are F32 there, else all in memory, since onnxruntime takes external data
 * either from files or from buffers.
 *
 * @param shapes of the parameters to bind.
 * @throws SpinError "invalid" naming file and tensor where one is missing or has another shape.
 */
export async function bindWeights(shapes: ReadonlyMap<string, Shape>, weights: SafetensorsFile): Promise<BoundWeights> {
  const tensors = new Map([...shapes].map(([name, shape]) => [name, expectTensor(weights, name, shape)]));
  const isMapped = [...tensors].every(([name, { dtype }]) => dtype === "F32" && !weights.computed?.has(name));
  const bind = (place: (name: string, tensor: TensorInfo) => Omit<ExternalTensor, "dtype" | "shape">) => {
    return (name: string): ExternalTensor | undefined => {
      const tensor = tensors.get(name);
      return tensor && { dtype: "float32", shape: tensor.shape, ...place(name, tensor) };
    };
  };
  if (isMapped) {
    const external = bind((_, { file, offset, byteLength }) => ({ location: basename(file), offset, byteLength }));
    return { external, weightsFolder: dirname(weights.path) }; // shards lie beside their index
  }
  const externalData: { path: string; data: Uint8Array }[] = [];
  for (const name of tensors.keys()) {
    externalData.push({ path: name, data: new Uint8Array((await weights.readFloat32(name)).buffer) });
  }
  return {
    external: bind((name, { shape }) => ({ location: name, offset: 0, byteLength: 4 * sizeOf(shape) })),
    externalData,
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

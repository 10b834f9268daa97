import { basename, dirname } from "node:path";
import type { SafetensorsFile } from "../checkpoint/safetensors.js";
import { SpinError } from "../errors.js";
import { type EmitOptions, emitModel } from "../graph/onnx.js";
import { Session, type SessionOptions } from "../graph/session.js";
import { sizeOf, type Value } from "../graph/value.js";
import { Parameters } from "../nn/parameters.js";

interface BoundWeights extends Pick<SessionOptions, "externalData" | "weightsFolder"> {
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
  const { external, ...data } = await bindWeights(p, weights);
  return Session.create(emitModel(outputs, { external }), { ...options, ...data });
}

/** Converted values lie in buffers of about this size: JavaScript has no end of memory, but a limit to one buffer. */
const BUFFER_BYTES = 2 ** 30;

/** Where each parameter's bytes lie: in the file, or in a buffer of converted values. */
async function bindWeights(p: Parameters, weights: SafetensorsFile): Promise<BoundWeights> {
  const places = new Map<string, { location: string; offset: number; byteLength: number }>();
  const lengths: number[] = [];
  for (const [name, { shape }] of p.all()) {
    const { dtype, file, offset, byteLength } = expectTensor(weights, name, shape);
    if (dtype === "F32") {
      places.set(name, { location: basename(file), offset, byteLength });
      continue;
    }
    const bytes = 4 * sizeOf(shape);
    if (lengths.length === 0 || lengths.at(-1)! + bytes > BUFFER_BYTES) lengths.push(0);
    places.set(name, { location: bufferName(lengths.length - 1), offset: lengths.at(-1)!, byteLength: bytes });
    lengths[lengths.length - 1]! += bytes;
  }
  const buffers = lengths.map((length, i) => ({ path: bufferName(i), data: new Uint8Array(length) }));
  for (const [name, { location, offset }] of places) {
    const buffer = buffers.find(({ path }) => path === location);
    if (buffer === undefined) continue;
    const values = await weights.readFloat32(name);
    buffer.data.set(new Uint8Array(values.buffer, values.byteOffset, values.byteLength), offset);
  }
  const external = (name: string) => ({
    dtype: "float32" as const,
    shape: weights.tensors.get(name)!.shape,
    ...places.get(name)!,
  });
  return {
    external,
    weightsFolder: dirname(weights.path), // shards lie beside their index
    ...(buffers.length === 0 ? {} : { externalData: buffers }),
  };
}

function bufferName(index: number): string {
  return `converted-${index}`;
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

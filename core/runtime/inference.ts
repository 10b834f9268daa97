import { realpath } from "node:fs/promises";
import { basename, dirname } from "node:path";
import { toIoError } from "../checkpoint/io-errors.js";
import type { SafetensorsFile } from "../checkpoint/safetensors.js";
import type { TensorInfo } from "../checkpoint/safetensors-header.js";
import { SpinError } from "../errors.js";
import type { StoredDType } from "../graph/graph-writer.js";
import { inMixedPrecision } from "../graph/mixed-precision.js";
import { type EmitOptions, emitModel } from "../graph/onnx.js";
import { Session, type SessionOptions } from "../graph/session.js";
import { type HalfDType, type Shape, sizeOf, type Value } from "../graph/value.js";
import { Parameters } from "../nn/parameters.js";

export interface InferenceOptions extends SessionOptions {
  /** In what products are computed, where not in float32. */
  readonly precision?: HalfDType;
}

/** Weights as constants of a graph: how its parameters are bound, and what its session needs for that. */
export interface BoundWeights extends Pick<SessionOptions, "externalData" | "weightsFolder"> {
  readonly external: NonNullable<EmitOptions["external"]>;
}

/**
 * Compiles a model with its weights bound as constants, so that onnxruntime may lay them out for its kernels.
 * Tensors are mapped from the file, at their offsets, whatever floating-point type they have there; computed ones are read into memory.
 *
 * @param build makes the outputs from parameters under the file's names.
 * @throws SpinError "invalid" naming file and tensor where one is missing or has another shape.
 */
export async function createInference(
  build: (p: Parameters) => Readonly<Record<string, Value>>,
  weights: SafetensorsFile,
  { precision, ...options }: InferenceOptions = {},
): Promise<Session> {
  const p = new Parameters();
  const outputs = inPrecision(build(p), precision);
  const shapes = new Map([...p.all()].map(([name, { shape }]) => [name, shape]));
  const { external, ...data } = await bindWeights(shapes, weights);
  return Session.create(emitModel(outputs, { external }), { ...options, ...data });
}

function inPrecision(
  outputs: Readonly<Record<string, Value>>,
  precision: HalfDType | undefined,
): Readonly<Record<string, Value>> {
  if (precision === undefined) return outputs;
  const rounded = inMixedPrecision(Object.values(outputs), precision);
  return Object.fromEntries(Object.keys(outputs).map((name, i) => [name, rounded[i]!]));
}

/** Values in memory lie in buffers of about this size: there is a limit to one buffer of JavaScript. */
const BUFFER_BYTES = 2 ** 30;

/** Floating-point types of weight files, as graphs call them. */
const STORED: ReadonlyMap<string, StoredDType> = new Map([
  ["F64", "float64"],
  ["F32", "float32"],
  ["F16", "float16"],
  ["BF16", "bfloat16"],
]);

/**
 * Where each parameter's bytes lie: in the files, unless some are computed or the files lie in several folders: then all in memory,
 * since onnxruntime takes external data either from the files of one folder or from buffers.
 *
 * @param shapes of the parameters to bind; others are not bound.
 * @throws SpinError "invalid" naming file and tensor where one is missing or has another shape.
 */
export async function bindWeights(shapes: ReadonlyMap<string, Shape>, weights: SafetensorsFile): Promise<BoundWeights> {
  const tensors = new Map([...shapes].map(([name, shape]) => [name, expectTensor(weights, name, shape)]));
  const isMapped = [...tensors].every(
    ([name, { dtype, strides }]) => STORED.has(dtype) && strides === undefined && !weights.computed?.has(name),
  );
  return (isMapped ? await mapFiles(tensors) : undefined) ?? (await readIntoBuffers(tensors, weights));
}

/** Nothing is read: tensors are found in the files. Undefined where the files are not all in one folder. */
async function mapFiles(tensors: ReadonlyMap<string, TensorInfo>): Promise<BoundWeights | undefined> {
  const files = new Map<string, string>();
  for (const file of new Set([...tensors.values()].map((tensor) => tensor.file))) {
    // The place itself, for caches of downloaded models keep links, and onnxruntime follows none out of the folder.
    files.set(file, await realpath(file).catch((error: unknown) => Promise.reject(toIoError(error, file, "read"))));
  }
  const [folder, another] = new Set([...files.values()].map(dirname));
  if (folder === undefined || another !== undefined) return undefined;
  const external = (name: string) => {
    const tensor = tensors.get(name);
    if (tensor === undefined) return undefined;
    const { file, dtype, shape, offset, byteLength } = tensor;
    return { dtype: STORED.get(dtype)!, shape, location: basename(files.get(file)!), offset, byteLength };
  };
  return { external, weightsFolder: folder };
}

async function readIntoBuffers(
  tensors: ReadonlyMap<string, TensorInfo>,
  weights: SafetensorsFile,
): Promise<BoundWeights> {
  const places = new Map<string, { buffer: number; offset: number; byteLength: number }>();
  const lengths: number[] = [];
  for (const [name, { shape }] of tensors) {
    const byteLength = 4 * sizeOf(shape);
    if (lengths.length === 0 || lengths.at(-1)! + byteLength > BUFFER_BYTES) lengths.push(0);
    const buffer = lengths.length - 1;
    places.set(name, { buffer, offset: lengths[buffer]!, byteLength });
    lengths[buffer]! += byteLength;
  }
  const buffers = lengths.map((length) => new Uint8Array(length));
  for (const [name, { buffer, offset }] of places) {
    const values = await weights.readFloat32(name);
    buffers[buffer]!.set(new Uint8Array(values.buffer, values.byteOffset, values.byteLength), offset);
  }
  const location = (buffer: number) => `buffer-${buffer}`;
  const external = (name: string) => {
    const place = places.get(name);
    if (place === undefined) return undefined;
    const { buffer, offset, byteLength } = place;
    const { shape } = tensors.get(name)!;
    return { dtype: "float32" as const, shape, location: location(buffer), offset, byteLength };
  };
  return { external, externalData: buffers.map((data, i) => ({ path: location(i), data })) };
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

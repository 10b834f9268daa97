import { type FileHandle, open } from "node:fs/promises";
import { SpinError } from "../errors.js";
import { bfloat16ToFloat32, float16ToFloat32 } from "../float-formats.js";
import { toIoError } from "./io-errors.js";
import {
  checkedHeaderLength,
  corrupt,
  DTYPE_BYTES,
  parseSafetensorsHeader,
  type SafetensorsHeader,
  type TensorInfo,
} from "./safetensors-header.js";
import { gatherStrided, stridedSpan } from "./strided.js";

/** One safetensors file, or a set of shards, opened lazily: only headers are in memory. */
export interface SafetensorsFile extends SafetensorsHeader {
  /** The file, or the index of the set. */
  readonly path: string;
  /** Tensors that are computed, as F32, when they are read: they are not found at their places. None where absent. */
  readonly computed?: ReadonlySet<string>;
  /** @returns the tensor's bytes, little-endian, in a buffer of their own. @throws SpinError "notFound", "corrupt" */
  read(name: string): Promise<Uint8Array<ArrayBuffer>>;
  /** @returns the tensor's values; F16, BF16 and F64 are converted. @throws SpinError "corrupt" for integers */
  readFloat32(name: string): Promise<Float32Array<ArrayBuffer>>;
}

/**
 * Opens a safetensors file and checks its header against the file's size before anything of a claimed size is allocated.
 * @throws SpinError "notFound" for a missing file, "corrupt" naming file and tensor for a bad one
 */
export async function openSafetensors(path: string): Promise<SafetensorsFile> {
  const header = await withFile(path, async (handle) => {
    const fileBytes = (await handle.stat()).size;
    const prefix = await readExactly(handle, path, 0, Math.min(8, fileBytes));
    const length = checkedHeaderLength(prefix, path, fileBytes);
    return parseSafetensorsHeader(await readExactly(handle, path, 8, length), path, fileBytes);
  });
  return lazyFile(path, header);
}

/** Joins checked headers with the reading of what they describe; each tensor names its own file. */
export function lazyFile(path: string, header: SafetensorsHeader): SafetensorsFile {
  const find = (name: string): TensorInfo => {
    const tensor = header.tensors.get(name);
    if (tensor === undefined) {
      throw new SpinError("notFound", `${path} has no tensor ${JSON.stringify(name)}`, { file: path, tensor: name });
    }
    return tensor;
  };
  const read = async (name: string) => readTensor(find(name));
  return {
    ...header,
    path,
    read,
    readFloat32: async (name) => toFloat32(await read(name), find(name), name),
  };
}

/**
 * Reads all tensors as float32, one at a time in the file's order, opening each file once per run of its tensors.
 * @throws SpinError as `readFloat32`
 */
export async function* readAllFloat32(file: SafetensorsFile): AsyncGenerator<[string, Float32Array<ArrayBuffer>]> {
  const names = [...file.tensors.keys()];
  while (names.length > 0) {
    const path = file.tensors.get(names[0]!)!.file;
    const handle = await open(path, "r").catch((error: unknown) => Promise.reject(toIoError(error, path, "read")));
    try {
      while (names.length > 0 && file.tensors.get(names[0]!)!.file === path) {
        const name = names.shift()!;
        const tensor = file.tensors.get(name)!;
        if (file.computed?.has(name)) yield [name, await file.readFloat32(name)];
        else yield [name, toFloat32(await readElements(handle, tensor), tensor, name)];
      }
    } finally {
      await handle.close();
    }
  }
}

async function readTensor(tensor: TensorInfo): Promise<Uint8Array<ArrayBuffer>> {
  return withFile(tensor.file, (handle) => readElements(handle, tensor));
}

async function readElements(handle: FileHandle, tensor: TensorInfo): Promise<Uint8Array<ArrayBuffer>> {
  const { file, dtype, shape, strides, offset, byteLength } = tensor;
  if (strides === undefined) return readExactly(handle, file, offset, byteLength);
  const span = await readExactly(handle, file, offset, stridedSpan(shape, strides, DTYPE_BYTES[dtype]));
  return gatherStrided(span, shape, strides, DTYPE_BYTES[dtype]);
}

/**
 * Bytes of a file.
 * @param mayBeShorter whether a file that ends before gives what there is.
 * @throws SpinError "notFound", or "corrupt" where the file ends before
 */
export async function readRange(
  path: string,
  offset: number,
  length: number,
  { mayBeShorter = false } = {},
): Promise<Uint8Array<ArrayBuffer>> {
  return withFile(path, async (handle) => {
    const available = mayBeShorter ? Math.max(0, (await handle.stat()).size - offset) : length;
    return readExactly(handle, path, offset, Math.min(length, available));
  });
}

/** Views or converts little-endian bytes; the machines that onnxruntime runs on are little-endian, so views do. */
function toFloat32(bytes: Uint8Array<ArrayBuffer>, tensor: TensorInfo, name: string): Float32Array<ArrayBuffer> {
  switch (tensor.dtype) {
    case "F32":
      return new Float32Array(bytes.buffer);
    case "F16":
      return float16ToFloat32(new Uint16Array(bytes.buffer));
    case "BF16":
      return bfloat16ToFloat32(new Uint16Array(bytes.buffer));
    case "F64":
      return Float32Array.from(new Float64Array(bytes.buffer));
    default:
      throw corrupt(tensor.file, `holds ${tensor.dtype}, expected floating point numbers`, name);
  }
}

async function withFile<T>(path: string, use: (handle: FileHandle) => Promise<T>): Promise<T> {
  try {
    const handle = await open(path, "r");
    try {
      return await use(handle);
    } finally {
      await handle.close();
    }
  } catch (error) {
    throw toIoError(error, path, "read");
  }
}

/** Reads `length` bytes at `position`; in pieces, since one system call reads less than 2 GiB. */
async function readExactly(
  handle: FileHandle,
  path: string,
  position: number,
  length: number,
): Promise<Uint8Array<ArrayBuffer>> {
  const bytes = new Uint8Array(length);
  for (let done = 0; done < length; ) {
    const piece = Math.min(length - done, 1 << 30);
    const { bytesRead } = await handle.read(bytes, done, piece, position + done);
    if (bytesRead === 0)
      throw corrupt(path, `ends after ${position + done} bytes, ${length - done} more were expected`);
    done += bytesRead;
  }
  return bytes;
}

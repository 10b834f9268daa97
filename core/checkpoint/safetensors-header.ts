import { SpinError } from "../errors.js";
import { findDuplicateKey } from "./json-keys.js";

/** Bytes per element of each element type of the safetensors format. */
export const DTYPE_BYTES = {
  BOOL: 1,
  U8: 1,
  I8: 1,
  F8_E5M2: 1,
  F8_E4M3: 1,
  I16: 2,
  U16: 2,
  F16: 2,
  BF16: 2,
  I32: 4,
  U32: 4,
  F32: 4,
  I64: 8,
  U64: 8,
  F64: 8,
} as const;

/** An element type, spelt as in safetensors headers. */
export type Dtype = keyof typeof DTYPE_BYTES;

/** Where a tensor lies: `offset` counts from the start of `file`, in bytes, as ONNX external data does. */
export interface TensorInfo {
  readonly file: string;
  readonly dtype: Dtype;
  readonly shape: readonly number[];
  readonly offset: number;
  readonly byteLength: number;
  /**
   * Elements from one to the next along each axis, of a view that does not lie row by row without gaps, as torch.save writes them. Then
   * `byteLength` is what the tensor takes once it does. Absent for all others.
   */
  readonly strides?: readonly number[];
}

/** What a safetensors header says, checked against the size of its file. */
export interface SafetensorsHeader {
  readonly tensors: ReadonlyMap<string, TensorInfo>;
  readonly metadata: ReadonlyMap<string, string>;
}

/** The format's own limit on the header, in bytes. */
const MAX_HEADER_BYTES = 100_000_000;
const MAX_NAME_LENGTH = 1024;
const METADATA_KEY = "__metadata__";

/** @returns a "corrupt" error that names the file, and the tensor where there is one. */
export function corrupt(file: string, problem: string, tensor?: string): SpinError {
  const what = tensor === undefined ? `${file}: ${problem}` : `${file}: tensor ${JSON.stringify(tensor)}: ${problem}`;
  return new SpinError("corrupt", what, { file, tensor, remedy: "download or write the file again" });
}

/**
 * Reads the length field of a safetensors file.
 * @param prefix the first 8 bytes: header length as a little-endian unsigned integer
 * @throws SpinError "corrupt" when the header claims more than the format allows or than the file holds
 */
export function checkedHeaderLength(prefix: Uint8Array, file: string, fileBytes: number): number {
  if (fileBytes < 8 || prefix.byteLength < 8) {
    throw corrupt(file, `${fileBytes} bytes, too short for the 8 bytes of a header length`);
  }
  const claimed = new DataView(prefix.buffer, prefix.byteOffset, 8).getBigUint64(0, true);
  if (claimed > BigInt(MAX_HEADER_BYTES)) {
    throw corrupt(file, `the header claims ${claimed} bytes, more than the ${MAX_HEADER_BYTES} allowed`);
  }
  if (claimed > BigInt(fileBytes - 8)) {
    throw corrupt(file, `the header claims ${claimed} bytes, the file has ${fileBytes - 8} after the length field`);
  }
  return Number(claimed);
}

/**
 * Checks a safetensors header (https://github.com/huggingface/safetensors#format): JSON without duplicate keys; every
 * dtype known; shape × dtype equal to the extent; extents in order, without overlap or hole, covering the whole file.
 * @param fileBytes size of the file that the header belongs to
 * @throws SpinError "corrupt" naming the file and the tensor
 */
export function parseSafetensorsHeader(header: Uint8Array, file: string, fileBytes: number): SafetensorsHeader {
  const dataStart = 8 + header.byteLength;
  const tensors = new Map<string, TensorInfo>();
  let metadata: ReadonlyMap<string, string> = new Map();
  for (const [name, entry] of Object.entries(parseObject(header, file))) {
    if (name === METADATA_KEY) metadata = checkedMetadata(entry, file);
    else tensors.set(name, checkedTensor(name, entry, file, dataStart));
  }
  checkExtents(tensors, file, dataStart, fileBytes);
  return { tensors, metadata };
}

function parseObject(header: Uint8Array, file: string): object {
  let text: string;
  let value: unknown;
  try {
    text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(header);
  } catch {
    throw corrupt(file, "the header is not UTF-8");
  }
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw corrupt(file, `the header is not JSON (${error instanceof Error ? error.message : String(error)})`);
  }
  if (!isObject(value)) throw corrupt(file, "the header is not a JSON object");
  const duplicate = findDuplicateKey(text);
  if (duplicate !== undefined) throw corrupt(file, "the name occurs twice in the header", duplicate);
  return value;
}

function isObject(value: unknown): value is object {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function checkedMetadata(value: unknown, file: string): ReadonlyMap<string, string> {
  if (!isObject(value)) throw corrupt(file, `${METADATA_KEY} is not an object`);
  const metadata = new Map<string, string>();
  for (const [key, text] of Object.entries(value)) {
    if (typeof text !== "string")
      throw corrupt(file, `${METADATA_KEY}.${key} is ${JSON.stringify(text)}, expected text`);
    metadata.set(key, text);
  }
  return metadata;
}

/** @throws SpinError "corrupt" for a name that is empty, too long, or has control characters */
export function checkTensorName(name: string, file: string): void {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
  if (name !== "" && name.length <= MAX_NAME_LENGTH && !/[\u0000-\u001f\u007f]/.test(name)) return;
  throw corrupt(file, "a name must have 1 to 1024 characters, none of them control characters", name.slice(0, 80));
}

function checkedTensor(name: string, entry: unknown, file: string, dataStart: number): TensorInfo {
  checkTensorName(name, file);
  if (!isObject(entry)) throw corrupt(file, "the entry is not an object", name);
  // Object.entries, not property access: an entry without "shape" must not find one on a prototype.
  const fields = new Map<string, unknown>(Object.entries(entry));
  const dtype = fields.get("dtype");
  if (!isDtype(dtype)) {
    throw corrupt(file, `dtype is ${shown(dtype)}, expected one of ${Object.keys(DTYPE_BYTES).join(", ")}`, name);
  }
  const shape = fields.get("shape");
  if (!isSizes(shape))
    throw corrupt(file, `shape is ${shown(shape)}, expected a list of whole numbers from 0 on`, name);
  const extent = fields.get("data_offsets");
  if (!isSizes(extent) || extent.length !== 2 || extent[0]! > extent[1]!) {
    throw corrupt(file, `data_offsets is ${shown(extent)}, expected [begin, end] with begin ≤ end`, name);
  }
  let expected: number = DTYPE_BYTES[dtype];
  for (const size of shape) {
    expected *= size;
    if (!Number.isSafeInteger(expected))
      throw corrupt(file, `shape [${shape.join(", ")}] is too large to address`, name);
  }
  const byteLength = extent[1]! - extent[0]!;
  if (expected !== byteLength) {
    throw corrupt(
      file,
      `${dtype} [${shape.join(", ")}] takes ${expected} bytes, data_offsets give ${byteLength}`,
      name,
    );
  }
  return { file, dtype, shape, offset: dataStart + extent[0]!, byteLength };
}

function isDtype(value: unknown): value is Dtype {
  return typeof value === "string" && Object.hasOwn(DTYPE_BYTES, value);
}

function isSizes(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((size) => Number.isSafeInteger(size) && size >= 0);
}

function shown(value: unknown): string {
  return value === undefined ? "missing" : JSON.stringify(value).slice(0, 80);
}

function checkExtents(
  tensors: ReadonlyMap<string, TensorInfo>,
  file: string,
  dataStart: number,
  fileBytes: number,
): void {
  const ordered = [...tensors].sort(([, a], [, b]) => a.offset - b.offset || a.byteLength - b.byteLength);
  let end = dataStart;
  for (const [name, tensor] of ordered) {
    if (tensor.offset + tensor.byteLength > fileBytes) {
      const missing = tensor.offset + tensor.byteLength - fileBytes;
      throw corrupt(file, `ends ${missing} bytes after the end of the file (is it cut short?)`, name);
    }
    if (tensor.offset < end) throw corrupt(file, "shares bytes with another tensor", name);
    if (tensor.offset > end) throw corrupt(file, `${tensor.offset - end} bytes before it belong to no tensor`, name);
    end = tensor.offset + tensor.byteLength;
  }
  if (end !== fileBytes) throw corrupt(file, `${fileBytes - end} bytes after the last tensor belong to none`);
}

import type { Dtype } from "../safetensors-header.js";

/** A tensor as the table of a file of torch.save names it: its storage's key, element type and sizes. */
export interface PickledTensor {
  readonly name: string;
  readonly dtype: Dtype;
  readonly shape: readonly number[];
  /** Elements from one to the next along each axis; row by row where absent. */
  readonly strides?: readonly number[];
  /** First element within the storage. */
  readonly offset?: number;
  /** Key of the storage, and its elements. */
  readonly storage: { readonly key: string; readonly size: number };
}

const STORAGE_TYPES: Partial<Record<Dtype, string>> = {
  F64: "DoubleStorage",
  F32: "FloatStorage",
  F16: "HalfStorage",
  BF16: "BFloat16Storage",
  I64: "LongStorage",
  I32: "IntStorage",
  U8: "ByteStorage",
  BOOL: "BoolStorage",
};

const encoder = new TextEncoder();
const PROTO_2 = [0x80, 2];
const [MARK, TUPLE, REDUCE, SETITEMS, STOP] = [0x28, 0x74, 0x52, 0x75, 0x2e];
const [EMPTY_DICT, EMPTY_TUPLE, NEWFALSE, BINPERSID] = [0x7d, 0x29, 0x89, 0x51];

/**
 * The pickle (protocol 2) of a dict of tensors, as torch.save writes it without its memo.
 *
 * @param under key that the dict lies under in an outer one, as `state_dict`.
 */
export function pickleTensors(tensors: readonly PickledTensor[], under?: string): Uint8Array<ArrayBuffer> {
  const table = [
    EMPTY_DICT,
    MARK,
    ...tensors.flatMap((tensor) => [...text(tensor.name), ...rebuilt(tensor)]),
    SETITEMS,
  ];
  const whole = under === undefined ? table : [EMPTY_DICT, MARK, ...text(under), ...table, SETITEMS];
  return Uint8Array.from([...PROTO_2, ...whole, STOP]);
}

/** _rebuild_tensor_v2(storage, offset, size, stride, requires_grad, hooks) */
function rebuilt({ dtype, shape, strides, offset = 0, storage }: PickledTensor): number[] {
  const id = [
    MARK,
    ...text("storage"),
    ...global("torch", STORAGE_TYPES[dtype]!),
    ...text(storage.key),
    ...text("cpu"),
  ];
  const hooks = [...global("collections", "OrderedDict"), EMPTY_TUPLE, REDUCE];
  return [
    ...global("torch._utils", "_rebuild_tensor_v2"),
    MARK,
    ...[...id, ...int(storage.size), TUPLE, BINPERSID],
    ...int(offset),
    ...[MARK, ...shape.flatMap(int), TUPLE],
    ...[MARK, ...(strides ?? rowMajor(shape)).flatMap(int), TUPLE],
    ...[NEWFALSE, ...hooks, TUPLE, REDUCE],
  ];
}

function rowMajor(shape: readonly number[]): number[] {
  return shape.map((_, axis) => shape.slice(axis + 1).reduce((product, extent) => product * extent, 1));
}

function global(module: string, name: string): number[] {
  return [0x63, ...encoder.encode(`${module}\n${name}\n`)];
}

function text(value: string): number[] {
  const bytes = encoder.encode(value);
  return [0x58, ...littleEndian(bytes.length), ...bytes];
}

/** BININT */
function int(value: number): number[] {
  return [0x4a, ...littleEndian(value)];
}

function littleEndian(value: number): number[] {
  return [value & 255, (value >> 8) & 255, (value >> 16) & 255, (value >>> 24) & 255];
}

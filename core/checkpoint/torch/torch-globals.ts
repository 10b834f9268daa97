import type { Dtype } from "../safetensors-header.js";
import { DTYPE_BYTES } from "../safetensors-header.js";
import {
  type PickleEnvironment,
  PickleError,
  PickleGlobal,
  PickleObject,
  PickleTuple,
  type PickleValue,
} from "./pickle-values.js";

/** Elements that tensors share: an entry `data/<key>` of the archive. */
export class TorchStorage extends PickleObject {
  readonly key: string;
  readonly dtype: Dtype;
  /** Elements. */
  readonly size: number;

  constructor(key: string, dtype: Dtype, size: number) {
    super();
    this.key = key;
    this.dtype = dtype;
    this.size = size;
  }
}

/** A view into a storage; offset and strides count elements. */
export class TorchTensor extends PickleObject {
  readonly storage: TorchStorage;
  readonly offset: number;
  readonly shape: readonly number[];
  readonly strides: readonly number[];

  constructor(storage: TorchStorage, offset: number, shape: readonly number[], strides: readonly number[]) {
    super();
    this.storage = storage;
    this.offset = offset;
    this.shape = shape;
    this.strides = strides;
  }

  /** Whether its elements lie row by row without gaps, as in a tensor's own memory. */
  get isContiguous(): boolean {
    let expected = 1;
    for (let axis = this.shape.length - 1; axis >= 0; axis--) {
      if (this.shape[axis] !== 1 && this.strides[axis] !== expected) return false;
      expected *= this.shape[axis]!;
    }
    return true;
  }
}

const STORAGE_DTYPES: ReadonlyMap<string, Dtype> = new Map([
  ["torch.DoubleStorage", "F64"],
  ["torch.FloatStorage", "F32"],
  ["torch.HalfStorage", "F16"],
  ["torch.BFloat16Storage", "BF16"],
  ["torch.LongStorage", "I64"],
  ["torch.IntStorage", "I32"],
  ["torch.ShortStorage", "I16"],
  ["torch.CharStorage", "I8"],
  ["torch.ByteStorage", "U8"],
  ["torch.BoolStorage", "BOOL"],
]);

/** The only names that a file may mention. Whatever else it names is refused by name, and never looked up. */
const GLOBALS: ReadonlyMap<string, PickleGlobal> = new Map(
  [
    new PickleGlobal("collections.OrderedDict", orderedDict),
    new PickleGlobal("torch._utils._rebuild_tensor_v2", rebuildTensor),
    new PickleGlobal("torch._utils._rebuild_parameter", parameter),
    new PickleGlobal("torch.nn.parameter.Parameter", parameter),
    new PickleGlobal("torch.Size", ([sizes]) => sizes ?? new PickleTuple([])),
    ...[...STORAGE_DTYPES.keys()].map((name) => new PickleGlobal(name)),
  ].map((global) => [global.name, global]),
);

/** What torch.save's files refer to. */
export const TORCH_ENVIRONMENT: PickleEnvironment = {
  global(module, name) {
    const global = GLOBALS.get(`${module}.${name}`);
    if (global !== undefined) return global;
    throw new PickleError(`names ${printable(`${module}.${name}`)}, which no table of tensors needs`);
  },
  persistent(id) {
    const [kind, type, key, , size] = id instanceof PickleTuple ? id.items : [];
    const dtype = type instanceof PickleGlobal ? STORAGE_DTYPES.get(type.name) : undefined;
    if (kind !== "storage" || dtype === undefined || typeof key !== "string" || !isCount(size)) {
      throw new PickleError("expected the id of a storage");
    }
    return new TorchStorage(key, dtype, size);
  },
};

/** Text of the file, shortened, without control characters. */
export function printable(text: string): string {
  return JSON.stringify(text.length > 100 ? `${text.slice(0, 100)}…` : text).slice(1, -1);
}

function orderedDict([pairs = []]: readonly PickleValue[]): PickleValue {
  if (!Array.isArray(pairs)) throw new PickleError("an OrderedDict is made of a list of pairs");
  return new Map(
    pairs.map((pair): [PickleValue, PickleValue] => {
      const items = pair instanceof PickleTuple ? pair.items : Array.isArray(pair) ? pair : [];
      if (items.length !== 2) throw new PickleError("an OrderedDict is made of a list of pairs");
      return [items[0]!, items[1]!];
    }),
  );
}

/** A parameter is its tensor. */
function parameter([tensor]: readonly PickleValue[]): PickleValue {
  if (tensor instanceof TorchTensor) return tensor;
  throw new PickleError("a parameter is made of a tensor");
}

/** _rebuild_tensor_v2(storage, offset, size, stride, requires_grad, hooks), checked against the storage's claimed size. */
function rebuildTensor([storage, offset, size, stride]: readonly PickleValue[]): PickleValue {
  const shape = counts(size);
  const strides = counts(stride);
  if (!(storage instanceof TorchStorage) || !isCount(offset) || shape === undefined || strides === undefined) {
    throw new PickleError("expected storage, offset, size and stride");
  }
  const rank = shape.length;
  if (strides.length !== rank || rank > 16) throw new PickleError(`${rank} sizes and ${strides.length} strides`);
  const numel = shape.reduce((product, extent) => product * extent, 1);
  const last = shape.reduce((position, extent, axis) => position + (extent - 1) * strides[axis]!, offset);
  // More elements than the storage has would be an expanded view: a few bytes could claim any amount of memory.
  if (numel > storage.size || (numel > 0 && last >= storage.size)) {
    const view = `size [${shape.join(", ")}], stride [${strides.join(", ")}] from ${offset}`;
    throw new PickleError(`a tensor of ${view} does not fit its storage of ${storage.size} elements`);
  }
  return new TorchTensor(storage, offset, shape, strides);
}

function counts(value: PickleValue | undefined): readonly number[] | undefined {
  const items = value instanceof PickleTuple ? value.items : Array.isArray(value) ? value : undefined;
  return items?.every(isCount) ? (items as readonly number[]) : undefined;
}

function isCount(value: PickleValue | undefined): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0;
}

/** Bytes that a storage claims. */
export function storageBytes({ dtype, size }: TorchStorage): number {
  return size * DTYPE_BYTES[dtype];
}

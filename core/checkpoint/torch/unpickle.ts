import {
  type PickleDict,
  type PickleEnvironment,
  PickleError,
  PickleGlobal,
  PickleTuple,
  type PickleValue,
} from "./pickle-values.js";

/** Stands on the stack where a MARK was. */
const MARK = Symbol("mark");

/**
 * The stack machine of Python's pickle, protocol 2 (pickletools.py), as far as torch.save writes it
 * (torch/_weights_only_unpickler.py). Nothing is imported and nothing is run: names mean what the environment says, and
 * every other opcode ends the reading. Neither time nor memory goes beyond a small multiple of the bytes.
 *
 * @throws PickleError naming the opcode and its position.
 */
export function unpickle(bytes: Uint8Array, environment: PickleEnvironment): PickleValue {
  const machine = new Machine(bytes, environment);
  for (;;) {
    const at = machine.position;
    const code = machine.byte();
    const opcode = OPCODES.get(code);
    if (opcode === undefined) {
      const shown = `0x${code.toString(16).padStart(2, "0")}`;
      throw new PickleError(`opcode ${shown} at byte ${at} is none that a table of tensors needs`);
    }
    try {
      opcode.run(machine);
    } catch (error) {
      if (!(error instanceof PickleError)) throw error;
      throw new PickleError(`${opcode.name} at byte ${at}: ${error.message}`);
    }
    if (code === STOP) return machine.pop();
  }
}

class Machine {
  readonly memo = new Map<number, PickleValue>();
  readonly environment: PickleEnvironment;
  readonly #stack: (PickleValue | typeof MARK)[] = [];
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  position = 0;

  constructor(bytes: Uint8Array, environment: PickleEnvironment) {
    this.environment = environment;
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  push(value: PickleValue): void {
    this.#stack.push(value);
  }

  mark(): void {
    this.#stack.push(MARK);
  }

  pop(): PickleValue {
    const value = this.#stack.pop();
    if (value === undefined || value === MARK) throw new PickleError("the stack is empty");
    return value;
  }

  top(): PickleValue {
    const value = this.pop();
    this.push(value);
    return value;
  }

  popDict(): PickleDict {
    const value = this.pop();
    if (value instanceof Map) return value;
    throw new PickleError("there is no dict to fill");
  }

  /** What was pushed since the last mark, which goes too. */
  popToMark(): PickleValue[] {
    const from = this.#stack.lastIndexOf(MARK);
    if (from < 0) throw new PickleError("there is no mark on the stack");
    const values = this.#stack.splice(from).slice(1);
    return values as PickleValue[];
  }

  take(count: number): Uint8Array {
    if (count > this.#bytes.length - this.position) {
      throw new PickleError(`${count} bytes are claimed, ${this.#bytes.length - this.position} are left`);
    }
    this.position += count;
    return this.#bytes.subarray(this.position - count, this.position);
  }

  byte(): number {
    return this.take(1)[0]!;
  }

  uint16(): number {
    this.take(2);
    return this.#view.getUint16(this.position - 2, true);
  }

  uint32(): number {
    this.take(4);
    return this.#view.getUint32(this.position - 4, true);
  }

  int32(): number {
    this.take(4);
    return this.#view.getInt32(this.position - 4, true);
  }

  float64(): number {
    this.take(8);
    return this.#view.getFloat64(this.position - 8, false);
  }

  text(count: number): string {
    try {
      return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(this.take(count));
    } catch (error) {
      if (error instanceof PickleError) throw error;
      throw new PickleError("the text is not UTF-8");
    }
  }

  /** Up to the next line feed, which goes too. */
  line(): string {
    const end = this.#bytes.indexOf(0x0a, this.position);
    if (end < 0) throw new PickleError("the line has no end");
    const text = this.text(end - this.position);
    this.position += 1;
    return text;
  }

  memoized(index: number): PickleValue {
    const value = this.memo.get(index);
    if (value === undefined) throw new PickleError(`nothing was remembered under ${index}`);
    return value;
  }
}

interface Opcode {
  readonly name: string;
  readonly run: (machine: Machine) => void;
}

const STOP = 0x2e;

const OPCODES: ReadonlyMap<number, Opcode> = new Map<number, Opcode>([
  [0x80, { name: "PROTO", run: protocol }],
  [STOP, { name: "STOP", run: () => undefined }],
  [0x28, { name: "MARK", run: (m) => m.mark() }],
  [0x63, { name: "GLOBAL", run: (m) => m.push(m.environment.global(m.line(), m.line())) }],
  [0x71, { name: "BINPUT", run: (m) => remember(m, m.byte()) }],
  [0x72, { name: "LONG_BINPUT", run: (m) => remember(m, m.uint32()) }],
  [0x68, { name: "BINGET", run: (m) => m.push(m.memoized(m.byte())) }],
  [0x6a, { name: "LONG_BINGET", run: (m) => m.push(m.memoized(m.uint32())) }],
  [0x4e, { name: "NONE", run: (m) => m.push(null) }],
  [0x88, { name: "NEWTRUE", run: (m) => m.push(true) }],
  [0x89, { name: "NEWFALSE", run: (m) => m.push(false) }],
  [0x4a, { name: "BININT", run: (m) => m.push(m.int32()) }],
  [0x4b, { name: "BININT1", run: (m) => m.push(m.byte()) }],
  [0x4d, { name: "BININT2", run: (m) => m.push(m.uint16()) }],
  [0x8a, { name: "LONG1", run: (m) => m.push(long(m.take(m.byte()))) }],
  [0x47, { name: "BINFLOAT", run: (m) => m.push(m.float64()) }],
  [0x58, { name: "BINUNICODE", run: (m) => m.push(m.text(m.uint32())) }],
  [0x55, { name: "SHORT_BINSTRING", run: (m) => m.push(m.text(m.byte())) }],
  [0x29, { name: "EMPTY_TUPLE", run: (m) => m.push(new PickleTuple([])) }],
  [0x85, { name: "TUPLE1", run: (m) => m.push(tupleOf(m, 1)) }],
  [0x86, { name: "TUPLE2", run: (m) => m.push(tupleOf(m, 2)) }],
  [0x87, { name: "TUPLE3", run: (m) => m.push(tupleOf(m, 3)) }],
  [0x74, { name: "TUPLE", run: (m) => m.push(new PickleTuple(m.popToMark())) }],
  [0x5d, { name: "EMPTY_LIST", run: (m) => m.push([]) }],
  [0x61, { name: "APPEND", run: (m) => append(m, [m.pop()]) }],
  [0x65, { name: "APPENDS", run: (m) => append(m, m.popToMark()) }],
  [0x7d, { name: "EMPTY_DICT", run: (m) => m.push(new Map()) }],
  [0x73, { name: "SETITEM", run: (m) => setItems(m, [m.pop(), m.pop()].reverse()) }],
  [0x75, { name: "SETITEMS", run: (m) => setItems(m, m.popToMark()) }],
  [0x52, { name: "REDUCE", run: call }],
  [0x81, { name: "NEWOBJ", run: call }],
  [0x62, { name: "BUILD", run: build }],
  [0x51, { name: "BINPERSID", run: (m) => m.push(m.environment.persistent(m.pop())) }],
]);

function protocol(machine: Machine): void {
  const version = machine.byte();
  if (version !== 2) throw new PickleError(`protocol ${version}, expected 2, which torch.save writes`);
}

function remember(machine: Machine, index: number): void {
  machine.memo.set(index, machine.top());
}

/** A whole number, little-endian, two's complement. */
function long(bytes: Uint8Array): number {
  let value = 0n;
  for (const byte of bytes.toReversed()) value = (value << 8n) | BigInt(byte);
  const number = Number(BigInt.asIntN(8 * bytes.length, value));
  if (Number.isSafeInteger(number)) return number;
  throw new PickleError("the number is beyond 2⁵³");
}

function tupleOf(machine: Machine, count: number): PickleTuple {
  return new PickleTuple(Array.from({ length: count }, () => machine.pop()).reverse());
}

function append(machine: Machine, values: readonly PickleValue[]): void {
  const list = machine.top();
  if (!Array.isArray(list)) throw new PickleError("there is no list to append to");
  for (const value of values) list.push(value);
}

function setItems(machine: Machine, pairs: readonly PickleValue[]): void {
  const dict = machine.popDict();
  if (pairs.length % 2 !== 0) throw new PickleError("a key has no value");
  for (let i = 0; i < pairs.length; i += 2) dict.set(pairs[i]!, pairs[i + 1]!);
  machine.push(dict);
}

/** A call of one of the names that may be called, which do no more than the environment says. */
function call(machine: Machine): void {
  const args = machine.pop();
  const callee = machine.pop();
  if (!(callee instanceof PickleGlobal) || callee.call === undefined || !(args instanceof PickleTuple)) {
    const name = callee instanceof PickleGlobal ? callee.name : "something that is no name";
    throw new PickleError(`calls ${name}`);
  }
  machine.push(callee.call(args.items));
}

/** Attributes of an OrderedDict, as `_metadata`: of no use here. */
function build(machine: Machine): void {
  machine.pop();
  machine.push(machine.popDict());
}

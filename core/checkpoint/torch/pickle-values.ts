/** A tuple of Python, which may stand where lists may not. */
export class PickleTuple {
  readonly items: readonly PickleValue[];

  constructor(items: readonly PickleValue[]) {
    this.items = items;
  }
}

/** A name that the pickle refers to: a type, or a function that stands for what it does here. Never Python's own code. */
export class PickleGlobal {
  /** As `torch._utils._rebuild_tensor_v2`. */
  readonly name: string;
  /** What a call makes of its arguments; absent for names that are not to be called. */
  readonly call?: (args: readonly PickleValue[]) => PickleValue;

  constructor(name: string, call?: (args: readonly PickleValue[]) => PickleValue) {
    this.name = name;
    if (call !== undefined) this.call = call;
  }
}

/** Base of what globals and persistent ids make: tensors and storages. */
export abstract class PickleObject {}

/** A dict or OrderedDict of Python. */
export type PickleDict = Map<PickleValue, PickleValue>;

/** What a pickle of tensors is made of. */
export type PickleValue =
  | null
  | boolean
  | number
  | string
  | PickleValue[]
  | PickleTuple
  | PickleDict
  | PickleGlobal
  | PickleObject;

/** What a pickle may refer to. */
export interface PickleEnvironment {
  /** The name in a GLOBAL. Throws for any that is not on the list. */
  global(module: string, name: string): PickleGlobal;
  /** What a persistent id stands for. */
  persistent(id: PickleValue): PickleValue;
}

/** A fault of the pickle, without the name of its file. */
export class PickleError extends Error {}

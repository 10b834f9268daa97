import type { HalfDType } from "./value.js";

/** An ONNX attribute: a number is an integer or a float by its wrapper, to leave no doubt in the file. */
export type Attribute =
  | { readonly int: number }
  | { readonly float: number }
  | { readonly ints: readonly number[] }
  | { readonly string: string };

export type Attributes = Readonly<Record<string, Attribute>>;

export type FloatDType = "float32" | HalfDType;

/** What an operator's emission rule writes to. */
export interface Emitter {
  /** Adds a node with `outputs` outputs (1 by default) and returns their names. */
  node(opType: string, inputs: readonly string[], attributes?: Attributes, outputs?: number): readonly string[];
  /** As {@link node}, in onnxruntime's own operator set `com.microsoft`. */
  contrib(opType: string, inputs: readonly string[], attributes?: Attributes, outputs?: number): readonly string[];
  /** Name of an int64 vector constant; equal vectors share one initializer. */
  ints(values: readonly number[]): string;
  /** Name of a float constant, row-major over `shape` (a scalar by default), rounded to `dtype` (float32 by default). */
  floats(values: ArrayLike<number>, shape?: readonly number[], dtype?: FloatDType): string;
}

export const int = (value: number): Attribute => ({ int: value });
export const float = (value: number): Attribute => ({ float: value });
export const ints = (values: readonly number[]): Attribute => ({ ints: values });

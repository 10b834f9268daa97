import type { MessageInitShape } from "@bufbuild/protobuf";
import type { GraphProtoSchema } from "onnx-buf";
import type { Value } from "./value.js";

/** A graph inside a node, as the emitter that made it wrote it. */
export interface Subgraph {
  readonly graph: MessageInitShape<typeof GraphProtoSchema>;
}

/** An ONNX attribute: a number is an integer or a float by its wrapper, to leave no doubt in the file. */
export type Attribute =
  | { readonly int: number }
  | { readonly float: number }
  | { readonly ints: readonly number[] }
  | { readonly string: string }
  | Subgraph;

export type Attributes = Readonly<Record<string, Attribute>>;

/** What an operator's emission rule writes to. */
export interface Emitter {
  /** Adds a node with `outputs` outputs (1 by default) and returns their names. */
  node(opType: string, inputs: readonly string[], attributes?: Attributes, outputs?: number): readonly string[];
  /** As {@link node}, in onnxruntime's own operator set `com.microsoft`. */
  contrib(opType: string, inputs: readonly string[], attributes?: Attributes, outputs?: number): readonly string[];
  /**
   * A graph for a node's attribute.
   *
   * @param places values that stand for its inputs, in order.
   * @param captured names outside of further values that it sees.
   */
  subgraph(places: readonly Value[], outputs: readonly Value[], captured: ReadonlyMap<Value, string>): Subgraph;
  /** Name of an int64 vector constant; equal vectors share one initializer. */
  ints(values: readonly number[]): string;
  /** Name of a float constant, row-major over `shape` (a scalar by default). */
  floats(values: ArrayLike<number>, shape?: readonly number[]): string;
}

export const int = (value: number): Attribute => ({ int: value });
export const float = (value: number): Attribute => ({ float: value });
export const ints = (values: readonly number[]): Attribute => ({ ints: values });

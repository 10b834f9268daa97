import { SpinError } from "../errors.js";
import type { Attributes, Subgraph } from "./emitter.js";

/** Element types that graphs carry; names as onnxruntime spells them. */
export type DType = "float32" | HalfDType | "int64" | "bool";

/** Floating-point types of 16 bits. */
export type HalfDType = "float16" | "bfloat16";
/** Types that are computed in. */
export type FloatDType = "float32" | HalfDType;

/** Extents of a tensor, outermost first; every extent is known when a node is made. */
export type Shape = readonly number[];

export interface TensorType {
  readonly shape: Shape;
  readonly dtype: DType;
}

/** One output of one node: what operators take and return. */
export interface Value extends TensorType {
  readonly node: Node;
  /** Which of the node's outputs this is. */
  readonly index: number;
}

// biome-ignore lint/suspicious/noExplicitAny: a node's attributes are typed by its own definition; walkers never look inside.
export type AnyDefinition = OpDefinition<any>;

/** An operator applied to values. Nodes are immutable: a graph is what is reachable from its outputs. */
export interface Node<A = unknown> {
  readonly definition: AnyDefinition;
  readonly inputs: readonly Value[];
  readonly attributes: A;
  readonly outputs: readonly Value[];
}

/** Gradient of a scalar with respect to each input, `undefined` where there is none (indices, masks). */
export type GradientRule<A> = (
  gradients: readonly Value[],
  node: Node<A> & { readonly y: Value },
) => readonly (Value | undefined)[];

/** What is known of the runs that a graph is written for. */
export interface Target {
  /** Whether a value depends on what each run is fed, rather than on constants, which the runtime arranges beforehand. */
  isFed(value: Value): boolean;
  /** Channels in a block of the runtime's blocked convolutions, where it has them. */
  readonly block?: number;
}

/** What an operator's emission rule writes to. */
export interface Emitter {
  /** Adds a node with `outputs` outputs (1 by default) and returns their names. */
  node(opType: string, inputs: readonly string[], attributes?: Attributes, outputs?: number): readonly string[];
  /** As {@link node}, in onnxruntime's own operator set `com.microsoft`. */
  contrib(opType: string, inputs: readonly string[], attributes?: Attributes, outputs?: number): readonly string[];
  /** As {@link node}, in onnxruntime's operator set `com.microsoft.nchwc`: channels in blocks. */
  blocked(opType: string, inputs: readonly string[], attributes?: Attributes): readonly string[];
  /**
   * A graph for a node's attribute.
   *
   * @param places values that stand for its inputs, in order.
   * @param captured names outside of further values that it sees.
   */
  subgraph(places: readonly Value[], outputs: readonly Value[], captured: ReadonlyMap<Value, string>): Subgraph;
  /** Tells the runtime a value's type where it could not infer it; returns the name. */
  declare(name: string, type: TensorType): string;
  /** Name of an int64 vector constant; equal vectors share one initializer. */
  ints(values: readonly number[]): string;
  /** Name of a float constant, row-major over `shape` (a scalar by default), rounded to `dtype` (float32 by default). */
  floats(values: ArrayLike<number>, shape?: readonly number[], dtype?: FloatDType): string;
}

/** Everything the engine knows of one operator. */
export interface OpDefinition<A> {
  readonly name: string;
  /** Whether it is as fast with weights that the runtime could not lay out beforehand. */
  readonly needsNoConstants?: true;
  /** Whether the output is the first input's memory, under another shape or name. */
  readonly aliases?: true;
  /**
   * The outputs made once more, in little time, of values that its gradient needs anyway; absent: they are kept for the backward pass.
   *
   * @param late a value, to be used only once gradients have arrived
   * @param isKept whether a value is one that gradients flow to, and so may be needed anyway
   * @returns undefined where they had better be kept
   */
  anew?(node: Node<A>, late: (value: Value) => Value, isKept: (value: Value) => boolean): readonly Value[] | undefined;
  /** Bytes that it needs while it runs, beside its inputs and outputs; absent: none to speak of. */
  scratch?(attributes: A): number;
  /**
   * In what a mixed-precision graph computes it: "half" where speed is to be had and sums are kept in more bits inside, "float" where 16 bits
   * lose too much. Absent: in what its inputs come in.
   */
  readonly precision?: "half" | "float";
  /** Types of the outputs; throws through {@link shapeError} where the inputs do not fit. */
  infer(inputs: readonly Value[], attributes: A): readonly TensorType[];
  /** The same by other operators, where the target computes those faster; absent or undefined: as it is. */
  lower?(inputs: readonly Value[], attributes: A, target: Target): readonly Value[] | undefined;
  /** Writes the ONNX nodes that compute it; returns the outputs' names. */
  emit(emitter: Emitter, inputs: readonly string[], node: Node<A>): readonly string[];
  /** Reverse-mode rule, or why there is none. */
  readonly gradient: GradientRule<A> | "not differentiable";
}

/** Applies an operator: infers the output types and makes the node. */
export function apply<A>(definition: OpDefinition<A>, inputs: readonly Value[], attributes: A): readonly Value[] {
  const outputs: Value[] = [];
  const node: Node<A> = { definition, inputs, attributes, outputs };
  definition.infer(inputs, attributes).forEach(({ shape, dtype }, index) => {
    outputs.push({ node, index, shape, dtype });
  });
  return outputs;
}

/** The error for inputs that do not fit: names the operator, the input and the shapes involved. */
export function shapeError(op: string, inputs: readonly TensorType[], expected: string): SpinError {
  const came = inputs.map((input, i) => `input ${i} ${formatType(input)}`).join(", ");
  return new SpinError("internal", `${op}: ${came}; expected ${expected}`);
}

export function formatType({ shape, dtype }: TensorType): string {
  return `${dtype}[${shape.join(", ")}]`;
}

/** Number of elements of a shape. */
export function sizeOf(shape: Shape): number {
  return shape.reduce((product, extent) => product * extent, 1);
}

const ELEMENT_BYTES: Readonly<Record<DType, number>> = { float32: 4, float16: 2, bfloat16: 2, int64: 8, bool: 1 };

/** Bytes that values take together. */
export function bytesOf(types: readonly TensorType[]): number {
  return types.reduce((sum, { shape, dtype }) => sum + ELEMENT_BYTES[dtype] * sizeOf(shape), 0);
}

export function sameShape(a: Shape, b: Shape): boolean {
  return a.length === b.length && a.every((extent, i) => extent === b[i]);
}

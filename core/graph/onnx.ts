import { SpinError } from "../errors.js";
import { type ExternalTensor, emitNode, GraphWriter } from "./graph-writer.js";
import { peakBytes } from "./live-memory.js";
import { lower } from "./lower.js";
import { INPUT, type LeafAttributes, PARAMETER } from "./ops/leaf.js";
import { SPLIT, type SplitAttributes } from "./ops/movement.js";
import { RESHAPE } from "./ops/reshape.js";
import { topologicalOrder } from "./topological-order.js";
import { type Node, sizeOf, type Target, type TensorType, type Value } from "./value.js";

export interface EmitOptions {
  /** Parameters bound to files; those it returns nothing for become inputs of the model. */
  readonly external?: (parameter: string) => ExternalTensor | undefined;
  /** Channels in a block of the runtime's blocked convolutions, where they are to be used for weights that are fed. */
  readonly block?: number;
  /** Whether outputs are only ever written to arrays of the caller. onnxruntime-node would copy them once more for its answer. */
  readonly writesOnly?: boolean;
}

/** A model as bytes, with what must be fed to it and what it gives. */
export interface EmittedModel {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly inputs: ReadonlyMap<string, TensorType>;
  /** Of the size that was asked for, perhaps under another shape. */
  readonly outputs: ReadonlyMap<string, TensorType>;
  /** The most bytes that intermediate values take at once, as estimated; inputs, weights and outputs are not among them. */
  readonly peakBytes: number;
  /** Whether it has {@link NO_ANSWER} before its outputs. */
  readonly writesOnly: boolean;
}

/**
 * Writes what the outputs depend on as an ONNX model (onnx.proto3, operator set 21 and onnxruntime's com.microsoft).
 *
 * @param outputs the model's outputs by name.
 * @throws SpinError (internal) where two inputs share a name but not a type.
 */
export function emitModel(outputs: Readonly<Record<string, Value>>, options: EmitOptions = {}): EmittedModel {
  const writer = new GraphWriter();
  const isFed = ({ node: { definition, attributes } }: Value) =>
    definition === INPUT ||
    (definition === PARAMETER && options.external?.((attributes as LeafAttributes).name) === undefined);
  const lowered = lowerAll(Object.values(outputs), { isFed, block: options.block });
  const inputs = new Map<string, TensorType>();
  const names = new Map<Value, string>();
  const order = topologicalOrder(lowered);
  const needed = neededAsConstants(order, options);
  const cut = cutAlone(order);
  const wholes = new Map<Value, BoundLeaf>();
  for (const node of order) {
    const { definition } = node;
    if (definition === INPUT || definition === PARAMETER) {
      const leaf = node.attributes as LeafAttributes;
      const bound = definition === PARAMETER ? options.external?.(leaf.name) : undefined;
      if (bound !== undefined && cut.has(node.outputs[0]!)) {
        wholes.set(node.outputs[0]!, { leaf, bound });
        continue;
      }
      if (bound !== undefined) {
        names.set(node.outputs[0]!, writer.external(leaf, bound, needed.has(node.outputs[0]!)));
        continue;
      }
      addInput(inputs, leaf);
    }
    const whole = definition === SPLIT ? wholes.get(node.inputs[0]!) : undefined;
    if (whole === undefined) {
      emitNode(writer, node, names);
      continue;
    }
    for (const part of rowsOf(whole, node)) {
      names.set(part.value, writer.external(part.leaf, part.bound, needed.has(part.value)));
    }
  }
  const taken = Object.keys(outputs).find((name) => inputs.has(name));
  if (taken !== undefined) throw new SpinError("internal", `emitModel: "${taken}" is both an input and an output`);
  const published = new Map(Object.keys(outputs).map((name, i) => [name, lowered[i]!]));
  for (const [name, value] of published) writer.publish(names.get(value)!, name);
  const { writesOnly = false } = options;
  const bytes = writer.toBytes(inputs, published, writesOnly);
  return { bytes, inputs, outputs: published, peakBytes: peakBytes(lowered), writesOnly };
}

/** A weight that is bound to a file. */
interface BoundLeaf {
  readonly leaf: LeafAttributes;
  readonly bound: ExternalTensor;
}

/** Weights that are nowhere taken whole, but in parts of their rows, which lie one behind another in a file, too. */
function cutAlone(order: readonly Node[]): Set<Value> {
  const cuts = (node: Node) => node.definition === SPLIT && (node.attributes as SplitAttributes).axis === 0;
  const whole = new Set(order.flatMap((node) => (cuts(node) ? [] : node.inputs)));
  return new Set(order.flatMap((node) => (cuts(node) ? node.inputs : [])).filter((value) => !whole.has(value)));
}

/** The parts that a node cuts a weight into, each bound to its own place in the file. */
function rowsOf({ leaf, bound }: BoundLeaf, node: Node): (BoundLeaf & { readonly value: Value })[] {
  const rowBytes = bound.byteLength / leaf.shape[0]!;
  let row = 0;
  return node.outputs.map((value) => {
    const { shape } = value;
    const [offset, byteLength] = [bound.offset + row * rowBytes, shape[0]! * rowBytes];
    const name = `${leaf.name}[${row}:${row + shape[0]!}]`;
    row += shape[0]!;
    return { value, leaf: { ...leaf, name, shape }, bound: { ...bound, shape, offset, byteLength } };
  });
}

/** Bytes, in float32: all converted weights of a model up to this size are constants, which saves converting them in each run. */
const SMALL_MODEL = 2 ** 26;

/**
 * Values that some operator would rather have as constants. Other weights that are stored in another type than they compute in are converted as
 * they are used, and only the file's own bytes stay in memory: constants would take the room of float32 twice, converted and laid out.
 */
function neededAsConstants(order: readonly Node[], { external }: EmitOptions): Set<Value> {
  const bound = order.filter(
    ({ definition, attributes }) => definition === PARAMETER && external?.((attributes as LeafAttributes).name),
  );
  const elements = bound.reduce((sum, { outputs }) => sum + sizeOf(outputs[0]!.shape), 0);
  if (4 * elements <= SMALL_MODEL) return new Set(order.flatMap(({ inputs }) => inputs));
  return new Set(order.flatMap(({ definition, inputs }) => (definition.needsNoConstants ? [] : inputs)));
}

/** The outputs for a target, without a last change of shape: that would be a copy, and elements are the same under any shape. */
function lowerAll(outputs: readonly Value[], target: Target): Value[] {
  return lower(outputs, target).map((value) => {
    let source = value;
    while (source.node.definition === RESHAPE) source = source.node.inputs[0]!;
    return source;
  });
}

function addInput(inputs: Map<string, TensorType>, { name, shape, dtype }: LeafAttributes): void {
  const earlier = inputs.get(name);
  if (earlier !== undefined && (earlier.dtype !== dtype || earlier.shape.join() !== shape.join())) {
    throw new SpinError("internal", `emitModel: the input "${name}" has two shapes, [${earlier.shape}] and [${shape}]`);
  }
  inputs.set(name, { shape, dtype });
}

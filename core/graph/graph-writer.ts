import { create, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import {
  AttributeProto_AttributeType,
  type AttributeProtoSchema,
  type GraphProtoSchema,
  ModelProtoSchema,
  type OperatorSetIdProtoSchema,
  TensorProto_DataLocation,
  TensorProto_DataType,
  type TensorProtoSchema,
  type ValueInfoProtoSchema,
} from "onnx-buf";
import { SpinError } from "../errors.js";
import { float32ToBfloat16, float32ToFloat16 } from "../float-formats.js";
import type { Attribute, Attributes, Subgraph } from "./emitter.js";
import type { LeafAttributes } from "./ops/leaf.js";
import { topologicalOrder } from "./topological-order.js";
import type { DType, Emitter, FloatDType, Node, Shape, TensorType, Value } from "./value.js";

/** Element types that a file may hold beside those that graphs carry: a Cast brings them to their parameter's type. */
export type StoredDType = DType | "float64";

/** Where an initializer's bytes lie: a file that onnxruntime maps. */
export interface ExternalTensor {
  /** As stored. Another type than the parameter's is converted: once, or, where that is as fast, at each run. */
  readonly dtype: StoredDType;
  readonly shape: Shape;
  /** Path as onnxruntime resolves it: relative to the model file, or a name given in `externalData`. */
  readonly location: string;
  /** Bytes from the start of the file. */
  readonly offset: number;
  readonly byteLength: number;
}

const OPSET = 21n;
const IR_VERSION = 10n;

/**
 * An output that is an empty sequence. Once all outputs are computed, onnxruntime-node copies them one after the other, and gives up at the
 * first that is no tensor: with this one in front, nothing is copied.
 */
export const NO_ANSWER = "no_answer";

const DATA_TYPES: Record<StoredDType, TensorProto_DataType> = {
  float32: TensorProto_DataType.FLOAT,
  float16: TensorProto_DataType.FLOAT16,
  bfloat16: TensorProto_DataType.BFLOAT16,
  float64: TensorProto_DataType.DOUBLE,
  int64: TensorProto_DataType.INT64,
  bool: TensorProto_DataType.BOOL,
};

const ENCODE: Record<
  FloatDType,
  (values: Float32Array<ArrayBuffer>) => Float32Array<ArrayBuffer> | Uint16Array<ArrayBuffer>
> = {
  float32: (values) => values,
  float16: float32ToFloat16,
  bfloat16: float32ToBfloat16,
};

/** Writes one node whose inputs have names already, and names its outputs. */
export function emitNode(writer: GraphWriter, node: Node, names: Map<Value, string>): void {
  const inputs = node.inputs.map((value) => names.get(value)!);
  const given = node.definition.emit(writer, inputs, node);
  node.outputs.forEach((value, i) => {
    names.set(value, given[i] ?? "");
  });
}

interface NodeInit {
  readonly name: string;
  readonly domain?: string;
  readonly opType: string;
  readonly input: readonly string[];
  readonly output: readonly string[];
  readonly attribute?: MessageInitShape<typeof AttributeProtoSchema>[];
}

/** Writes nodes, tensors and names of an ONNX model (onnx.proto3). */
export class GraphWriter implements Emitter {
  /** Of the graph that is being written: that of a subgraph while it lasts. */
  #nodes: NodeInit[] = [];
  readonly #initializers = new Map<string, MessageInitShape<typeof TensorProtoSchema>>();
  readonly #computed = new Set<string>();
  readonly #declared = new Map<string, TensorType>();
  readonly #public = new Map<string, string>();
  /** Initializers that could be fed, and so are no constants to the runtime. */
  readonly #defaults = new Map<string, ExternalTensor>();
  #count = 0;

  node(opType: string, inputs: readonly string[], attributes: Attributes = {}, outputs = 1): readonly string[] {
    return this.#add("", opType, inputs, attributes, outputs);
  }

  contrib(opType: string, inputs: readonly string[], attributes: Attributes = {}, outputs = 1): readonly string[] {
    return this.#add("com.microsoft", opType, inputs, attributes, outputs);
  }

  blocked(opType: string, inputs: readonly string[], attributes: Attributes = {}): readonly string[] {
    return this.#add("com.microsoft.nchwc", opType, inputs, attributes, 1);
  }

  subgraph(places: readonly Value[], outputs: readonly Value[], captured: ReadonlyMap<Value, string>): Subgraph {
    const outside = this.#nodes;
    const nodes: NodeInit[] = [];
    this.#nodes = nodes;
    const names = new Map(captured);
    const input = places.map((place) => {
      const name = `place#${this.#count++}`;
      names.set(place, name);
      return valueInfo(name, place);
    });
    for (const node of topologicalOrder(outputs)) {
      if (!names.has(node.outputs[0]!)) emitNode(this, node, names);
    }
    const output = outputs.map((value) => {
      // A name of its own for each: one value may be two outputs, or an input as it came.
      const name = `result#${this.#count++}`;
      nodes.push({ opType: "Identity", input: [names.get(value)!], output: [name], name });
      return valueInfo(name, value);
    });
    this.#nodes = outside;
    const node = nodes.map((one) => ({ ...one, input: [...one.input], output: [...one.output] }));
    return { graph: { name: `body#${this.#count++}`, node, input, output } };
  }

  declare(name: string, type: TensorType): string {
    this.#declared.set(name, type);
    return name;
  }

  ints(values: readonly number[]): string {
    const name = `i64:${values.join(",")}`;
    if (!this.#initializers.has(name)) {
      const data = new Uint8Array(BigInt64Array.from(values, BigInt).buffer);
      this.#initializers.set(name, { name, dataType: DATA_TYPES.int64, dims: [BigInt(values.length)], rawData: data });
    }
    return name;
  }

  floats(values: ArrayLike<number>, shape: readonly number[] = [], dtype: FloatDType = "float32"): string {
    const data = new Uint8Array(ENCODE[dtype](Float32Array.from(values)).buffer);
    // Small constants are shared by value; large ones are rare enough to stand alone.
    const name =
      values.length <= 4 ? `${dtype}:${shape.join("x")}:${Array.from(values).join(",")}` : `${dtype}#${this.#count++}`;
    this.#initializers.set(name, { name, dataType: DATA_TYPES[dtype], dims: shape.map(BigInt), rawData: data });
    return name;
  }

  /**
   * @param asConstant whether a tensor that has to be converted is to be a constant nonetheless.
   * @returns the name of the tensor as the graph takes it.
   */
  external(leaf: LeafAttributes, tensor: ExternalTensor, asConstant: boolean): string {
    if (tensor.shape.join() !== leaf.shape.join()) {
      const message = `the tensor "${leaf.name}" has shape [${tensor.shape}], the model needs [${leaf.shape}]`;
      throw new SpinError("invalid", message, { tensor: leaf.name, file: tensor.location });
    }
    const entry = (key: string, value: string | number) => ({ key, value: String(value) });
    this.#initializers.set(leaf.name, {
      name: leaf.name,
      dataType: DATA_TYPES[tensor.dtype],
      dims: tensor.shape.map(BigInt),
      dataLocation: TensorProto_DataLocation.EXTERNAL,
      externalData: [
        entry("location", tensor.location),
        entry("offset", tensor.offset),
        entry("length", tensor.byteLength),
      ],
    });
    if (tensor.dtype === leaf.dtype) return leaf.name;
    if (!asConstant) this.#defaults.set(leaf.name, tensor);
    return this.node("Cast", [leaf.name], { to: { int: DATA_TYPES[leaf.dtype] } })[0]!;
  }

  /** Gives a value its public name: by renaming, or by a copy where it has one already (inputs, shared outputs). */
  publish(from: string, to: string): void {
    if (this.#computed.has(from) && !this.#public.has(from)) this.#public.set(from, to);
    else this.#nodes.push({ opType: "Identity", input: [from], output: [to], name: `output:${to}` });
  }

  /** @param writesOnly puts {@link NO_ANSWER} before the outputs */
  toBytes(
    inputs: ReadonlyMap<string, TensorType>,
    outputs: ReadonlyMap<string, TensorType>,
    writesOnly: boolean,
  ): Uint8Array<ArrayBuffer> {
    if (writesOnly) this.#nodes.push({ name: NO_ANSWER, opType: "SequenceEmpty", input: [], output: [NO_ANSWER] });
    const graph: MessageInitShape<typeof GraphProtoSchema> = {
      name: "spin",
      node: this.#nodes.map((node) => ({ ...node, input: this.#named(node.input), output: this.#named(node.output) })),
      initializer: [...this.#initializers.values()],
      input: [...inputs, ...this.#defaults].map(([name, type]) => valueInfo(name, type)),
      output: [...(writesOnly ? [EMPTY_SEQUENCE] : []), ...[...outputs].map(([name, type]) => valueInfo(name, type))],
      valueInfo: [...this.#declared]
        .filter(([name]) => !this.#public.has(name))
        .map(([name, type]) => valueInfo(name, type)),
    };
    const opsetImport: MessageInitShape<typeof OperatorSetIdProtoSchema>[] = [
      { domain: "", version: OPSET },
      { domain: "com.microsoft", version: 1n },
      { domain: "com.microsoft.nchwc", version: 1n },
    ];
    const model = create(ModelProtoSchema, { irVersion: IR_VERSION, opsetImport, graph });
    return toBinary(ModelProtoSchema, model) as Uint8Array<ArrayBuffer>;
  }

  #named(names: readonly string[]): string[] {
    return names.map((name) => this.#public.get(name) ?? name);
  }

  #add(domain: string, opType: string, input: readonly string[], attributes: Attributes, count: number): string[] {
    const name = `${opType}#${this.#count++}`;
    const output = Array.from({ length: count }, (_, i) => `${name}:${i}`);
    const attribute = Object.entries(attributes).map(([key, value]) => attributeProto(key, value));
    for (const one of output) this.#computed.add(one);
    this.#nodes.push({ name, domain, opType, input, output, attribute });
    return output;
  }
}

function attributeProto(name: string, value: Attribute): MessageInitShape<typeof AttributeProtoSchema> {
  if ("int" in value) return { name, type: AttributeProto_AttributeType.INT, i: BigInt(value.int) };
  if ("float" in value) return { name, type: AttributeProto_AttributeType.FLOAT, f: value.float };
  if ("ints" in value) return { name, type: AttributeProto_AttributeType.INTS, ints: value.ints.map(BigInt) };
  if ("graph" in value) return { name, type: AttributeProto_AttributeType.GRAPH, g: value.graph };
  return { name, type: AttributeProto_AttributeType.STRING, s: new TextEncoder().encode(value.string) };
}

function valueInfo(
  name: string,
  { shape, dtype }: Pick<ExternalTensor, "shape" | "dtype">,
): MessageInitShape<typeof ValueInfoProtoSchema> {
  const dim = shape.map((extent) => ({ value: { case: "dimValue" as const, value: BigInt(extent) } }));
  const tensorType = { elemType: DATA_TYPES[dtype], shape: { dim } };
  return { name, type: { value: { case: "tensorType", value: tensorType } } };
}

const EMPTY_SEQUENCE: MessageInitShape<typeof ValueInfoProtoSchema> = {
  name: NO_ANSWER,
  type: {
    value: {
      case: "sequenceType",
      value: { elemType: { value: { case: "tensorType", value: { elemType: DATA_TYPES.float32 } } } },
    },
  },
};

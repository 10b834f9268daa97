import type { MessageInitShape } from "@bufbuild/protobuf";
import type { GraphProtoSchema } from "onnx-buf";

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

export const int = (value: number): Attribute => ({ int: value });
export const float = (value: number): Attribute => ({ float: value });
export const ints = (values: readonly number[]): Attribute => ({ ints: values });

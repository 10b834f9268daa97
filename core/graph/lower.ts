import { topologicalOrder } from "./topological-order.js";
import { apply, type Node, type Target, type Value } from "./value.js";

/**
 * Rewrites a graph for the runtime that will run it: every operator that has a faster form there (`lower` in its
 * definition) is replaced by it, the rest stays as it is.
 *
 * @returns the outputs, in the same order.
 */
export function lower(outputs: readonly Value[], { isFed: isSource, block }: Target): Value[] {
  const replaced = new Map<Value, Value>();
  const fed = new Map<Node, boolean>();
  const isFed = (value: Value): boolean => {
    let known = fed.get(value.node);
    if (known === undefined) {
      known = isSource(value) || value.node.inputs.some(isFed);
      fed.set(value.node, known);
    }
    return known;
  };
  for (const node of topologicalOrder(outputs)) {
    isFed(node.outputs[0]!); // in this order no call goes deeper than one node
    const inputs = node.inputs.map((value) => replaced.get(value) ?? value);
    // Faster forms are made for float32, by what was measured there.
    const isHalf = inputs.some(({ dtype }) => dtype === "float16" || dtype === "bfloat16");
    const lowered = isHalf ? undefined : node.definition.lower?.(inputs, node.attributes, { isFed, block });
    const kept = inputs.every((value, i) => value === node.inputs[i]);
    const becomes = lowered ?? (kept ? node.outputs : apply(node.definition, inputs, node.attributes));
    node.outputs.forEach((value, i) => {
      if (becomes[i] !== value) replaced.set(value, becomes[i]!);
    });
  }
  return outputs.map((value) => replaced.get(value) ?? value);
}

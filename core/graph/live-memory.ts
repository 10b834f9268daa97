import { topologicalOrder } from "./topological-order.js";
import { bytesOf, type Node, type Value } from "./value.js";

/**
 * The most bytes that a graph's intermediate values take at once, where each is let go after its last use. Leaves and outputs are not
 * counted: their memory is the caller's.
 */
export function peakBytes(outputs: readonly Value[]): number {
  const order = runOrder(outputs);
  const kept = new Set(outputs.map(({ node }) => memoryOf(node)));
  const lastUse = new Map<Node, number>();
  order.forEach((node, i) => {
    for (const { node: from } of node.inputs) lastUse.set(memoryOf(from), i);
    if (!lastUse.has(memoryOf(node))) lastUse.set(memoryOf(node), i);
  });
  const ending = order.map(() => 0);
  let [live, peak] = [0, 0];
  order.forEach((node, i) => {
    const { definition, inputs, attributes } = node;
    const owner = memoryOf(node);
    if (owner === node && inputs.length > 0 && !kept.has(node)) {
      const bytes = bytesOf(node.outputs);
      live += bytes;
      ending[lastUse.get(node)!]! += bytes;
    }
    peak = Math.max(peak, live + (definition.scratch?.(attributes) ?? 0));
    live -= ending[i]!;
  });
  return peak;
}

/** The node that made the memory in which a node's output lies. */
function memoryOf(node: Node): Node {
  let owner = node;
  while (owner.definition.aliases) owner = owner.inputs[0]!.node;
  return owner;
}

/** The order in which onnxruntime runs nodes that are numbered as they are written: depth first from the last to the first, later inputs first. */
function runOrder(outputs: readonly Value[]): Node[] {
  const number = new Map(topologicalOrder(outputs).map((node, i) => [node, i]));
  const used = new Set([...number.keys()].flatMap(({ inputs }) => inputs.map(({ node }) => node)));
  const byNumber = (a: Node, b: Node) => number.get(a)! - number.get(b)!;
  const stack = [...number.keys()].filter((node) => !used.has(node)).map((node) => ({ node, isDone: false }));
  const order: Node[] = [];
  const seen = new Set<Node>();
  while (stack.length > 0) {
    const { node, isDone } = stack.pop()!;
    if (isDone) order.push(node);
    if (isDone || seen.has(node)) continue;
    seen.add(node);
    stack.push({ node, isDone: true });
    const parents = [...new Set(node.inputs.map((value) => value.node))].sort(byNumber);
    for (const parent of parents) if (!seen.has(parent)) stack.push({ node: parent, isDone: false });
  }
  return order;
}

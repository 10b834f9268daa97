import { bytesOf, type Node } from "./value.js";

/**
 * Parts of a forward pass, in the order in which it runs. The backward pass goes through them from the last to the first, and may
 * compute each anew from what crosses into it (Chen et al. 2016, Training Deep Nets with Sublinear Memory Cost).
 */
export type Segments = readonly (readonly Node[])[];

/**
 * Cuts a graph into `count` parts that make about equally many bytes, at places near those where little crosses from before to after.
 *
 * @param order every node after its inputs.
 */
export function cutSegments(order: readonly Node[], count: number): Segments {
  const bytes = order.map((node) => (node.inputs.length === 0 ? 0 : bytesOf(node.outputs)));
  const total = bytes.reduce((sum, one) => sum + one, 0);
  const crossing = crossingBytes(order);
  const segments: Node[][] = [];
  let [begin, made] = [0, 0];
  while (begin < order.length) {
    const left = count - segments.length;
    const share = (total - made) / left;
    let [end, own] = [begin, 0];
    let best: { readonly end: number; readonly crossing: number; readonly own: number } | undefined;
    for (; end < order.length && own < share * (1 + SLACK); end++) {
      own += bytes[end]!;
      if (own >= share * (1 - SLACK) && crossing[end]! < (best?.crossing ?? Number.POSITIVE_INFINITY)) {
        best = { end: end + 1, crossing: crossing[end]!, own };
      }
    }
    const cut = left <= 1 || best === undefined ? { end: order.length, own: total - made } : best;
    segments.push(order.slice(begin, cut.end));
    [begin, made] = [cut.end, made + cut.own];
  }
  return segments;
}

/** How far a part may be from its share, in search of a place where little crosses. */
const SLACK = 0.3;

/** Bytes that nodes up to each one have made and later ones use. */
function crossingBytes(order: readonly Node[]): number[] {
  const lastUse = new Map<Node, number>();
  order.forEach((node, i) => {
    for (const { node: from } of node.inputs) lastUse.set(from, i);
  });
  const ending = order.map(() => 0);
  let live = 0;
  return order.map((node, i) => {
    const until = lastUse.get(node);
    if (node.inputs.length > 0 && until !== undefined) {
      const bytes = bytesOf(node.outputs);
      live += bytes;
      ending[until]! += bytes;
    }
    live -= ending[i]!;
    return live;
  });
}

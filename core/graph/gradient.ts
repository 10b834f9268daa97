import { SpinError } from "../errors.js";
import { add } from "./ops/elementwise.js";
import { scalar } from "./ops/leaf.js";
import { sumTo } from "./ops/reduce.js";
import { type Node, sameShape, shapeError, type Value } from "./value.js";

/**
 * Gradients of a scalar with respect to the given values, as new graph nodes: reverse-mode differentiation.
 *
 * @param loss scalar of shape [].
 * @param wanted values the loss depends on.
 * @returns one value per wanted one, of its shape.
 * @throws SpinError (internal) where the loss is no scalar, does not depend on a wanted value, or passes through an
 *   operator without a gradient on its way there.
 */
export function gradients(loss: Value, wanted: readonly Value[]): Value[] {
  if (loss.shape.length !== 0) throw shapeError("gradients", [loss], "a scalar loss");
  const order = topologicalOrder([loss]);
  const needed = leadingTo(wanted, order);
  const accumulated = new Map<Value, Value>([[loss, scalar(1)]]);
  for (const node of order.toReversed()) {
    if (!needed.has(node) || node.inputs.length === 0) continue;
    const g = node.outputs.map((output) => accumulated.get(output));
    if (g.every((one) => one === undefined)) continue;
    const { gradient, name } = node.definition;
    if (gradient === "not differentiable") throw new SpinError("internal", `${name}: no gradient is defined`);
    const contributions = gradient(g as Value[], { ...node, y: node.outputs[0]! });
    node.inputs.forEach((to, i) => {
      const contribution = contributions[i];
      if (contribution === undefined || !needed.has(to.node)) return;
      // The one place where what was broadcast forward is summed backward.
      const fitted = sameShape(contribution.shape, to.shape) ? contribution : sumTo(contribution, to.shape);
      const sofar = accumulated.get(to);
      accumulated.set(to, sofar === undefined ? fitted : add(sofar, fitted));
    });
  }
  return wanted.map((value) => {
    const gradient = accumulated.get(value);
    if (gradient === undefined)
      throw new SpinError("internal", `gradients: the loss does not depend on ${nameOf(value)}`);
    return gradient;
  });
}

/** Every node the outputs depend on, each after its inputs. */
export function topologicalOrder(outputs: readonly Value[]): Node[] {
  const order: Node[] = [];
  const seen = new Set<Node>();
  // An explicit stack: a training graph is thousands of nodes deep.
  const stack: { node: Node; next: number }[] = [];
  const enter = (node: Node) => {
    if (seen.has(node)) return;
    seen.add(node);
    stack.push({ node, next: 0 });
  };
  for (const { node } of outputs) {
    enter(node);
    while (stack.length > 0) {
      const top = stack.at(-1)!;
      const child = top.node.inputs[top.next++];
      if (child === undefined) {
        order.push(top.node);
        stack.pop();
      } else {
        enter(child.node);
      }
    }
  }
  return order;
}

/** The nodes from which a wanted value is reached: only they need gradients. */
function leadingTo(wanted: readonly Value[], order: readonly Node[]): Set<Node> {
  const leading = new Set(wanted.map(({ node }) => node));
  for (const node of order) {
    if (node.inputs.some((value) => leading.has(value.node))) leading.add(node);
  }
  return leading;
}

function nameOf({ node }: Value): string {
  const { name } = (node.attributes ?? {}) as { name?: string };
  return name === undefined ? `an output of ${node.definition.name}` : `"${name}"`;
}

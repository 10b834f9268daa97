import { SpinError } from "../errors.js";
import { add } from "./ops/elementwise.js";
import { INPUT, scalar } from "./ops/leaf.js";
import { after, zeroAfter } from "./ops/order.js";
import { sumTo } from "./ops/reduce.js";
import { cutSegments } from "./segments.js";
import { topologicalOrder } from "./topological-order.js";
import { apply, type Node, sameShape, shapeError, type Value } from "./value.js";

export interface GradientOptions {
  /** Parts of the forward pass whose values are kept no longer than they are needed, and computed anew in the backward pass; 1: all is kept. */
  readonly segments?: number;
  /** Whether values that are cheap to compute are computed anew rather than kept for the backward pass. */
  readonly cheapAnew?: boolean;
}

/**
 * Gradients of a scalar with respect to the given values, as new graph nodes: reverse-mode differentiation.
 *
 * @param loss scalar of shape [].
 * @param wanted values the loss depends on.
 * @returns one value per wanted one, of its shape.
 * @throws SpinError (internal) where the loss is no scalar, does not depend on a wanted value, or passes through an
 *   operator without a gradient on its way there.
 */
export function gradients(
  loss: Value,
  wanted: readonly Value[],
  { segments = 1, cheapAnew = false }: GradientOptions = {},
): Value[] {
  if (loss.shape.length !== 0) throw shapeError("gradients", [loss], "a scalar loss");
  const order = topologicalOrder([loss]);
  const walk = new BackwardWalk(loss, wanted, leadingTo(wanted, order));
  const parts = cutSegments(order, segments);
  for (const [i, part] of parts.toReversed().entries()) {
    // What the last part made is still there when its turn comes.
    if (i > 0) walk.through(part, walk.computedAnew(part));
    else walk.through(part, cheapAnew ? (node, arriving) => walk.cheapAnew(node, arriving) : (node) => node);
    walk.finishWeights();
  }
  return wanted.map((value) => {
    const gradient = walk.accumulated.get(value);
    if (gradient === undefined)
      throw new SpinError("internal", `gradients: the loss does not depend on ${nameOf(value)}`);
    return gradient;
  });
}

/** Where a backward pass has got to. */
class BackwardWalk {
  /** What has come so far of each value's gradient. */
  readonly accumulated: Map<Value, Value>;
  readonly #wanted: ReadonlySet<Value>;
  readonly #needed: ReadonlySet<Node>;
  /** Gradients that flow on, of nodes whose turn has not come. */
  readonly #flowing = new Set<Value>();
  /** Wanted values whose gradient grew since the last {@link finishWeights}. */
  readonly #grown = new Set<Value>();
  /** Cheap values made anew, by the ones that they stand for. */
  readonly #anew = new Map<Value, Value>();
  /** The same, that wait for gradients. */
  readonly #late = new Set<Value>();

  constructor(loss: Value, wanted: readonly Value[], needed: ReadonlySet<Node>) {
    this.accumulated = new Map([[loss, scalar(1)]]);
    this.#wanted = new Set(wanted);
    this.#needed = needed;
  }

  /** Goes through a part, from its end. @param evaluated a node with the values that its gradient rule is to work on */
  through(part: readonly Node[], evaluated: (node: Node, arriving: readonly Value[]) => Node): void {
    for (const node of part.toReversed()) {
      for (const output of node.outputs) this.#flowing.delete(output);
      if (!this.#needed.has(node) || node.inputs.length === 0) continue;
      const g = node.outputs.map((output) => this.accumulated.get(output));
      if (g.every((one) => one === undefined)) continue;
      const { gradient, name } = node.definition;
      if (gradient === "not differentiable") throw new SpinError("internal", `${name}: no gradient is defined`);
      const values = evaluated(
        node,
        g.filter((one) => one !== undefined),
      );
      const contributions = gradient(g as Value[], { ...values, y: values.outputs[0]! });
      node.inputs.forEach((to, i) => {
        const contribution = contributions[i];
        if (contribution !== undefined && this.#needed.has(to.node)) this.#contribute(to, contribution);
      });
    }
  }

  #contribute(to: Value, contribution: Value): void {
    // The one place where what was broadcast forward is summed backward.
    const fitted = sameShape(contribution.shape, to.shape) ? contribution : sumTo(contribution, to.shape);
    const sofar = this.accumulated.get(to);
    this.accumulated.set(to, sofar === undefined ? fitted : add(sofar, fitted));
    (this.#wanted.has(to) ? this.#grown : this.#flowing).add(to);
  }

  /** Lets nothing flow on before the gradients of weights that are in sight are computed. */
  finishWeights(): void {
    if (this.#grown.size === 0 || this.#flowing.size === 0) return;
    const zero = zeroAfter([...this.#grown].map((value) => this.accumulated.get(value)!));
    for (const value of this.#flowing) this.accumulated.set(value, after(this.accumulated.get(value)!, zero));
    this.#grown.clear();
  }

  /** A node with those of its inputs and outputs made anew that are cheap, once its gradients have arrived. */
  cheapAnew(node: Node, arriving: readonly Value[]): Node {
    let zero: Value | undefined;
    const late = (value: Value): Value => {
      if (this.#late.has(value)) return value;
      zero ??= zeroAfter(arriving);
      return after(value, zero);
    };
    const made = (value: Value): Value => {
      const { definition } = value.node;
      if (definition.anew === undefined || !this.#needed.has(value.node)) return value;
      if (!this.#anew.has(value)) {
        const again = definition.anew({ ...value.node, inputs: value.node.inputs.map(made) }, late, this.#isKept);
        for (const [i, output] of value.node.outputs.entries()) {
          const one = again?.[i] ?? output;
          this.#anew.set(output, one);
          if (one !== output) this.#late.add(one);
        }
      }
      return this.#anew.get(value)!;
    };
    return { ...node, inputs: node.inputs.map(made), outputs: node.outputs.map(made) };
  }

  readonly #isKept = ({ node }: Value): boolean => this.#needed.has(node) && node.inputs.length > 0;

  /**
   * A part's nodes once more, on the same values from before it. They wait for the gradient that flows into the part: else they might run at
   * once, or be taken for the same as the first ones.
   */
  computedAnew(part: readonly Node[]): (node: Node) => Node {
    const own = new Set(part);
    const arriving = [...this.#flowing]
      .filter(({ node }) => own.has(node))
      .map((value) => this.accumulated.get(value)!);
    if (arriving.length === 0) return (node) => node;
    const zero = zeroAfter(arriving);
    const anew = new Map<Value, Value>();
    const waiting = (value: Value): Value => {
      const known = anew.get(value);
      if (known !== undefined) return known;
      const { definition, inputs } = value.node;
      // What is made of weights alone is small, and stays.
      const stays = definition !== INPUT && (own.has(value.node) || inputs.length === 0);
      const result = stays ? value : after(value, zero);
      anew.set(value, result);
      return result;
    };
    const nodes = new Map<Node, Node>();
    for (const node of part) {
      const inputs = node.inputs.map(waiting);
      if (inputs.every((value, i) => value === node.inputs[i])) continue;
      const outputs = apply(node.definition, inputs, node.attributes);
      node.outputs.forEach((value, i) => {
        anew.set(value, outputs[i]!);
      });
      nodes.set(node, outputs[0]!.node);
    }
    return (node) => nodes.get(node) ?? node;
  }
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

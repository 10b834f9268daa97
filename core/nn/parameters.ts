import { parameter } from "../graph/ops/index.js";
import type { Shape, Value } from "../graph/value.js";
import type { LoraLayer } from "./lora.js";

/**
 * Where layers get their weights: a scope of names that makes each parameter once and remembers it, in the order of
 * first use. Names are those of the model's file: `scope.at("down_blocks", 0).get("weight", [4, 3])`.
 */
export class Parameters {
  readonly #made: Map<string, Value>;
  readonly #prefix: string;
  readonly #adapted: ReadonlyMap<string, LoraLayer>;

  constructor(prefix = "", made: Map<string, Value> = new Map(), adapted: ReadonlyMap<string, LoraLayer> = new Map()) {
    this.#prefix = prefix;
    this.#made = made;
    this.#adapted = adapted;
  }

  /** The scope below this one. */
  at(...path: readonly (string | number)[]): Parameters {
    return new Parameters([this.#prefix, ...path].filter((part) => part !== "").join("."), this.#made, this.#adapted);
  }

  /** The same scope, in which the layers of these names have low-rank adapters beside their weights. */
  withLora(layers: ReadonlyMap<string, LoraLayer>): Parameters {
    return new Parameters(this.#prefix, this.#made, layers);
  }

  /** The adapter of the layer that this scope is, where it has one. */
  get lora(): LoraLayer | undefined {
    return this.#adapted.get(this.#prefix);
  }

  /** The parameter `name` of this scope. */
  get(name: string, shape: Shape): Value {
    const full = this.#prefix === "" ? name : `${this.#prefix}.${name}`;
    let value = this.#made.get(full);
    if (value === undefined) {
      value = parameter(full, shape);
      this.#made.set(full, value);
    }
    return value;
  }

  /** Every parameter made so far, by full name. */
  all(): ReadonlyMap<string, Value> {
    return this.#made;
  }
}

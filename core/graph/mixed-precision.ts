import { cast } from "./ops/cast.js";
import { CONSTANT, type ConstantAttributes, constant, PARAMETER } from "./ops/leaf.js";
import { topologicalOrder } from "./topological-order.js";
import { apply, type FloatDType, type HalfDType, type Value } from "./value.js";

/**
 * Rewrites a float32 graph to compute in 16 bits where that pays, as torch's autocast: products, convolutions and attention in `half`; norms,
 * sums, exponentials and logarithms in float32; all else in what it is given, float32 where types meet. Parameters stay float32 and are
 * rounded where they are used, so that their gradients, made afterwards, are float32 too.
 *
 * @returns the outputs in float32, in the same order.
 */
export function inMixedPrecision(outputs: readonly Value[], half: HalfDType): Value[] {
  const becomes = new Map<Value, Value>();
  /** Values that come from parameters and constants alone: they take on the type of what they meet. */
  const passive = new Set<Value>();
  const casts = new Map<Value, Value>();
  /** A value in float32 or `half`; either is made once. */
  const as = (value: Value, dtype: FloatDType): Value => {
    const now = becomes.get(value)!;
    if (now.dtype === dtype || !isFloat(now)) return now;
    const made = casts.get(now) ?? converted(now, dtype);
    casts.set(now, made);
    return made;
  };
  for (const node of topologicalOrder(outputs)) {
    const { definition, inputs, attributes } = node;
    const isPassive =
      inputs.length === 0
        ? definition === PARAMETER || definition === CONSTANT
        : inputs.every((input) => passive.has(input) || !isFloat(input));
    if (isPassive) for (const value of node.outputs) passive.add(value);
    const active = inputs.filter((input) => isFloat(input) && !passive.has(input)).map((input) => becomes.get(input)!);
    const given: FloatDType = !isPassive && active.every((value) => value.dtype === half) ? half : "float32";
    const dtype: FloatDType = { half, float: "float32" as const, given }[definition.precision ?? "given"];
    const fitted = inputs.map((input) => as(input, dtype));
    const made = inputs.length === 0 ? node.outputs : apply(definition, fitted, attributes);
    node.outputs.forEach((value, i) => {
      becomes.set(value, made[i]!);
    });
  }
  return outputs.map((value) => as(value, "float32"));
}

/** Constants are made anew, all else is cast. */
function converted(value: Value, dtype: FloatDType): Value {
  if (value.node.definition !== CONSTANT) return cast(value, dtype);
  const { data, shape } = value.node.attributes as ConstantAttributes;
  return constant(data, shape, dtype);
}

function isFloat({ dtype }: Value): boolean {
  return dtype !== "int64" && dtype !== "bool";
}

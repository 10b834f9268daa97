import { int } from "../emitter.js";
import { apply, type OpDefinition, type Value } from "../value.js";

// Memory depends on the order in which nodes run, and the runtime takes any order that the edges allow. These two make edges that
// cost nothing: no data is copied, and no optimisation of the runtime can see that they do nothing.

const ZERO_AFTER: OpDefinition<Record<never, never>> = {
  name: "zeroAfter",
  infer: () => [{ shape: [1], dtype: "int64" }],
  emit: (e, inputs) => {
    const firsts = inputs.map((x) => {
      const [flat] = e.node("Reshape", [x, e.ints([-1])]);
      return e.node("Slice", [flat!, e.ints([0]), e.ints([1])])[0]!;
    });
    const [joined] = firsts.length === 1 ? firsts : e.node("Concat", firsts, { axis: int(0) });
    const [row] = e.node("Reshape", [joined!, e.ints([1, -1])]);
    const [sum] = e.node("ReduceSum", [row!, e.ints([1])], { keepdims: int(0) });
    // The place of the largest of one number is 0, whatever the number.
    return e.node("ArgMax", [sum!], { axis: int(0), keepdims: int(1) });
  },
  gradient: "not differentiable",
};

/** A zero, int64 [1], that is known only once all values are. */
export const zeroAfter = (values: readonly Value[]): Value => apply(ZERO_AFTER, values, {})[0]!;

const AFTER: OpDefinition<Record<never, never>> = {
  name: "after",
  aliases: true,
  infer: ([x]) => [{ shape: x!.shape, dtype: x!.dtype }],
  emit: (e, [x, zero], { inputs: [value] }) => {
    // An axis more where `zero` says, and one less there. (Reshapes to shapes that are known would be merged with their neighbours.)
    const { shape, dtype } = value!;
    const more = e.declare(e.node("Unsqueeze", [x!, zero!])[0]!, { shape: [1, ...shape], dtype });
    return e.node("Squeeze", [more, e.ints([0])]);
  },
  gradient: ([g]) => [g, undefined],
};

/** x itself, which is used only after `zero`, a {@link zeroAfter}, is known. Nothing is copied. */
export const after = (x: Value, zero: Value): Value => apply(AFTER, [x, zero], {})[0]!;

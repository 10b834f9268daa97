import { int, ints } from "../emitter.js";
import { apply, type FloatDType, type OpDefinition, shapeError, type Value } from "../value.js";
import { mul } from "./elementwise.js";
import { constant } from "./leaf.js";
import { matmul } from "./matmul.js";

interface ResizeAttributes {
  readonly size: readonly [number, number];
}

const UPSAMPLE: OpDefinition<ResizeAttributes> = {
  name: "upsampleNearest",
  infer: ([x], { size }) => {
    if (x!.shape.length !== 4) throw shapeError("upsampleNearest", [x!], "[B, C, H, W]");
    return [{ shape: [...x!.shape.slice(0, 2), ...size], dtype: x!.dtype }];
  },
  emit: (e, [x], { outputs: [y] }) =>
    e.node("Resize", [x!, "", "", e.ints(y!.shape)], {
      mode: { string: "nearest" },
      nearest_mode: { string: "floor" },
      coordinate_transformation_mode: { string: "asymmetric" },
    }),
  // each source pixel has the sum of its copies' gradients: pooling where every pixel has n² copies
  gradient: ([g], { inputs: [x], attributes: { size } }) => {
    const [, , h, w] = x!.shape as [number, number, number, number];
    const factor = size[0] / h;
    if (Number.isInteger(factor) && size[1] === w * factor) return [mul(averagePool(g!, factor), factor * factor)];
    return [matmul(matmul(copies(h, size[0], g!), g!, { transposeA: true }), copies(w, size[1], g!))];
  },
};

/** Nearest-neighbour resize of [B, C, H, W] to `size`, source index floor(i·H/H') as torch has it. */
export const upsampleNearest = (x: Value, size: readonly [number, number]): Value => apply(UPSAMPLE, [x], { size })[0]!;

/** [to, from]: 1 where target pixel i copies source pixel j. */
function copies(from: number, to: number, { dtype }: Value): Value {
  const table = new Float32Array(to * from);
  for (let i = 0; i < to; i++) table[i * from + Math.floor((i * from) / to)] = 1;
  return constant(table, [to, from], dtype as FloatDType);
}

const AVERAGE_POOL: OpDefinition<{ readonly factor: number }> = {
  name: "averagePool",
  infer: ([x], { factor }) => {
    const [b, c, h, w] = x!.shape as [number, number, number, number];
    if (h % factor !== 0 || w % factor !== 0) throw shapeError("averagePool", [x!], `extents divisible by ${factor}`);
    return [{ shape: [b, c, h / factor, w / factor], dtype: x!.dtype }];
  },
  emit: (e, inputs, { attributes: { factor } }) =>
    e.node("AveragePool", inputs, {
      kernel_shape: ints([factor, factor]),
      strides: ints([factor, factor]),
      ceil_mode: int(0),
    }),
  // dy spreads evenly over its window
  gradient: ([g], { inputs: [x], attributes: { factor } }) => [
    mul(upsampleNearest(g!, x!.shape.slice(2) as [number, number]), 1 / (factor * factor)),
  ],
};

/** Mean over windows of factor × factor: [B, C, H, W] to [B, C, H/factor, W/factor]. */
export const averagePool = (x: Value, factor: number): Value => apply(AVERAGE_POOL, [x], { factor })[0]!;

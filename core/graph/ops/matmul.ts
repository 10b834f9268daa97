import { float, int } from "../emitter.js";
import { apply, type OpDefinition, shapeError, sizeOf, type Value } from "../value.js";
import { reduceSum } from "./reduce.js";
import { reshape } from "./reshape.js";

interface MatmulOptions {
  readonly transposeA?: boolean;
  readonly transposeB?: boolean;
  /** Factor of the product. */
  readonly alpha?: number;
}

type MatmulAttributes = Required<MatmulOptions>;

const MATMUL: OpDefinition<MatmulAttributes> = {
  name: "matmul",
  precision: "half",
  needsNoConstants: true,
  infer: ([a, b], { transposeA, transposeB }) => {
    const [rows, inner] = matrix(a!, transposeA);
    const [innerB, columns] = matrix(b!, transposeB);
    const batch = (a!.shape.length >= b!.shape.length ? a! : b!).shape.slice(0, -2);
    const fits = [a!, b!].every(({ shape }) => shape.length >= 2 && sameBatch(shape.slice(0, -2), batch));
    if (!fits || inner !== innerB || a!.dtype !== b!.dtype) {
      throw shapeError(`matmul${transposeA ? " aᵀ" : ""}${transposeB ? " bᵀ" : ""}`, [a!, b!], "matrices that fit");
    }
    return [{ shape: [...batch, rows, columns], dtype: a!.dtype }];
  },
  emit: (e, inputs, { attributes: { transposeA, transposeB, alpha } }) =>
    transposeA || transposeB || alpha !== 1
      ? e.contrib("FusedMatMul", inputs, { transA: int(+transposeA), transB: int(+transposeB), alpha: float(alpha) })
      : e.node("MatMul", inputs),
  // C = αAB:  dA = α dC Bᵀ,  dB = α Aᵀ dC; transposed where A and B were
  gradient: ([g], { inputs: [a, b], attributes: { transposeA, transposeB, alpha } }) => {
    const left = transposeA
      ? product(b!, g!, { transposeA: transposeB, transposeB: true, alpha })
      : product(g!, b!, { transposeB: !transposeB, alpha });
    const right = transposeB
      ? product(g!, a!, { transposeA: true, transposeB: transposeA, alpha })
      : product(a!, g!, { transposeA: !transposeA, alpha });
    return [left(a!), right(b!)];
  },
};

/** The product for one input's gradient: summed over the batch inside the product where the input had none. */
function product(a: Value, b: Value, options: MatmulOptions): (of: Value) => Value {
  return (of) => {
    const foldable = of.shape.length === 2 && a.shape.length > 2 && b.shape.length > 2;
    if (foldable && options.transposeA && !options.transposeB) {
      const tall = (x: Value) => reshape(x, [sizeOf(x.shape) / x.shape.at(-1)!, x.shape.at(-1)!]);
      return matmul(tall(a), tall(b), options);
    }
    const whole = matmul(a, b, options);
    const extra = whole.shape.length - of.shape.length;
    return extra === 0
      ? whole
      : reshape(
          reduceSum(
            whole,
            Array.from({ length: extra }, (_, i) => i),
          ),
          of.shape,
        );
  };
}

function matrix({ shape }: Value, transposed: boolean): [number, number] {
  const [rows, columns] = shape.slice(-2) as [number, number];
  return transposed ? [columns, rows] : [rows, columns];
}

function sameBatch(mine: readonly number[], batch: readonly number[]): boolean {
  return mine.length === 0 || (mine.length === batch.length && mine.every((extent, i) => extent === batch[i]));
}

/** α·A·B over the last two axes; leading axes are equal, or absent from one side. */
export function matmul(a: Value, b: Value, options: MatmulOptions = {}): Value {
  return apply(MATMUL, [a, b], { transposeA: false, transposeB: false, alpha: 1, ...options })[0]!;
}

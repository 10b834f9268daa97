import type { Features } from "./features.js";
import { requireComparable } from "./features.js";
import { gram } from "./gram.js";

/** A kernel evaluated on every pair within and across two sets of m and n pictures. */
export interface KernelMatrices {
  readonly m: number;
  readonly n: number;
  /** [m, m] */
  readonly xx: Float64Array;
  /** [n, n] */
  readonly yy: Float64Array;
  /** [m, n] */
  readonly xy: Float64Array;
}

/** Inner products of both sets, mapped by a kernel that is a function of the inner product alone. */
export async function kernelMatrices(
  x: Features,
  y: Features,
  kernel: (product: number) => number,
): Promise<KernelMatrices> {
  requireComparable(x, y, 2);
  const map = (products: Float64Array): Float64Array => {
    for (let i = 0; i < products.length; i++) products[i] = kernel(products[i]!);
    return products;
  };
  return {
    m: x.rows,
    n: y.rows,
    xx: map(await gram(x, x)),
    yy: map(await gram(y, y)),
    xy: map(await gram(x, y)),
  };
}

import { type Features, requireComparable } from "./features.js";
import { createPacer } from "./pacer.js";

/** Rows of a tile: two tiles of 512-d features (2 × 128 KiB) stay in the second-level cache. */
const TILE = 32;

/**
 * All inner products x_i · y_j, in double precision. [x.rows, y.rows]
 * Tiled for the cache and 4 × 4 for registers; yields to the event loop between tiles.
 */
export async function gram(x: Features, y: Features): Promise<Float64Array> {
  requireComparable(x, y, 1);
  const a = new Float64Array(x.data);
  const b = y === x ? a : new Float64Array(y.data);
  const products = new Float64Array(x.rows * y.rows);
  const pace = createPacer();
  for (let i = 0; i < x.rows; i += TILE) {
    for (let j = 0; j < y.rows; j += TILE) {
      multiplyTile(a, b, products, x.columns, y.rows, i, Math.min(i + TILE, x.rows), j, Math.min(j + TILE, y.rows));
      await pace();
    }
  }
  return products;
}

function multiplyTile(
  a: Float64Array,
  b: Float64Array,
  out: Float64Array,
  depth: number,
  width: number,
  iBegin: number,
  iEnd: number,
  jBegin: number,
  jEnd: number,
): void {
  const iBlocked = iEnd - ((iEnd - iBegin) % 4);
  const jBlocked = jEnd - ((jEnd - jBegin) % 4);
  for (let i = iBegin; i < iBlocked; i += 4) {
    for (let j = jBegin; j < jBlocked; j += 4) multiplyBlock(a, b, out, depth, width, i, j);
    multiplySingly(a, b, out, depth, width, i, i + 4, jBlocked, jEnd);
  }
  multiplySingly(a, b, out, depth, width, iBlocked, iEnd, jBegin, jEnd);
}

/** A 4 × 4 block of products: sixteen sums in registers for eight loads. */
function multiplyBlock(
  a: Float64Array,
  b: Float64Array,
  out: Float64Array,
  depth: number,
  width: number,
  i: number,
  j: number,
): void {
  const a0 = i * depth;
  const a1 = a0 + depth;
  const a2 = a1 + depth;
  const a3 = a2 + depth;
  const b0 = j * depth;
  const b1 = b0 + depth;
  const b2 = b1 + depth;
  const b3 = b2 + depth;
  let s00 = 0;
  let s01 = 0;
  let s02 = 0;
  let s03 = 0;
  let s10 = 0;
  let s11 = 0;
  let s12 = 0;
  let s13 = 0;
  let s20 = 0;
  let s21 = 0;
  let s22 = 0;
  let s23 = 0;
  let s30 = 0;
  let s31 = 0;
  let s32 = 0;
  let s33 = 0;
  for (let k = 0; k < depth; k++) {
    const x0 = a[a0 + k]!;
    const x1 = a[a1 + k]!;
    const x2 = a[a2 + k]!;
    const x3 = a[a3 + k]!;
    const y0 = b[b0 + k]!;
    const y1 = b[b1 + k]!;
    const y2 = b[b2 + k]!;
    const y3 = b[b3 + k]!;
    s00 += x0 * y0;
    s01 += x0 * y1;
    s02 += x0 * y2;
    s03 += x0 * y3;
    s10 += x1 * y0;
    s11 += x1 * y1;
    s12 += x1 * y2;
    s13 += x1 * y3;
    s20 += x2 * y0;
    s21 += x2 * y1;
    s22 += x2 * y2;
    s23 += x2 * y3;
    s30 += x3 * y0;
    s31 += x3 * y1;
    s32 += x3 * y2;
    s33 += x3 * y3;
  }
  const o = i * width + j;
  out.set([s00, s01, s02, s03], o);
  out.set([s10, s11, s12, s13], o + width);
  out.set([s20, s21, s22, s23], o + 2 * width);
  out.set([s30, s31, s32, s33], o + 3 * width);
}

function multiplySingly(
  a: Float64Array,
  b: Float64Array,
  out: Float64Array,
  depth: number,
  width: number,
  iBegin: number,
  iEnd: number,
  jBegin: number,
  jEnd: number,
): void {
  for (let i = iBegin; i < iEnd; i++) {
    for (let j = jBegin; j < jEnd; j++) {
      let sum = 0;
      for (let k = 0; k < depth; k++) sum += a[i * depth + k]! * b[j * depth + k]!;
      out[i * width + j] = sum;
    }
  }
}

/**
 * AdamW on one tile of parameters, four lanes at a time: AssemblyScript, compiled by `bin/build-wasm.mjs`.
 * The tile's arrays lie one behind another: parameters, gradients, first moments, second moments, TILE elements each.
 */

export const TILE: i32 = 16384;

/**
 * Updates `count` elements, a multiple of 4. Scalars are those of one step: see core/nn/adamw.ts.
 * @returns the sum of the squares of the parameters' changes.
 */
export function step(
  count: i32,
  gradientScale: f32,
  decay: f32,
  beta1: f32,
  beta2: f32,
  rootCorrection2: f32,
  eps: f32,
  rate: f32,
): f32 {
  const stride = TILE << 2;
  const scale4 = f32x4.splat(gradientScale);
  const decay4 = f32x4.splat(decay);
  const beta1x4 = f32x4.splat(beta1);
  const beta2x4 = f32x4.splat(beta2);
  const rest1x4 = f32x4.splat(1 - beta1);
  const rest2x4 = f32x4.splat(1 - beta2);
  const root4 = f32x4.splat(rootCorrection2);
  const eps4 = f32x4.splat(eps);
  const rate4 = f32x4.splat(rate);
  const end = count << 2;
  let squares = f32x4.splat(0);
  for (let i = 0; i < end; i += 16) {
    const g = f32x4.mul(v128.load(i + stride), scale4);
    const m = f32x4.add(f32x4.mul(v128.load(i + 2 * stride), beta1x4), f32x4.mul(g, rest1x4));
    const v = f32x4.add(f32x4.mul(v128.load(i + 3 * stride), beta2x4), f32x4.mul(f32x4.mul(g, g), rest2x4));
    const denominator = f32x4.add(f32x4.div(f32x4.sqrt(v), root4), eps4);
    const before = v128.load(i);
    const p = f32x4.sub(f32x4.mul(before, decay4), f32x4.mul(rate4, f32x4.div(m, denominator)));
    const change = f32x4.sub(p, before);
    squares = f32x4.add(squares, f32x4.mul(change, change));
    v128.store(i, p);
    v128.store(i + 2 * stride, m);
    v128.store(i + 3 * stride, v);
  }
  return (
    f32x4.extract_lane(squares, 0) +
    f32x4.extract_lane(squares, 1) +
    f32x4.extract_lane(squares, 2) +
    f32x4.extract_lane(squares, 3)
  );
}

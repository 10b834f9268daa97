/** AdamW on arrays in WebAssembly's memory, four lanes at a time: AssemblyScript, compiled by `bin/build-wasm.mjs`. */

/**
 * Updates `count` elements, a multiple of 4, of arrays at these addresses, multiples of 16. Scalars are those of one step: see
 * core/nn/adamw.ts.
 * @returns the sum of the squares of the parameters' changes.
 */
export function step(
  parameters: usize,
  gradients: usize,
  expAvg: usize,
  expAvgSq: usize,
  count: usize,
  gradientScale: f32,
  decay: f32,
  beta1: f32,
  beta2: f32,
  eps: f32,
  rate: f32,
): f32 {
  const scale4 = f32x4.splat(gradientScale);
  const decay4 = f32x4.splat(decay);
  const beta1x4 = f32x4.splat(beta1);
  const beta2x4 = f32x4.splat(beta2);
  const rest1x4 = f32x4.splat(1 - beta1);
  const rest2x4 = f32x4.splat(1 - beta2);
  const eps4 = f32x4.splat(eps);
  const rate4 = f32x4.splat(rate);
  const end = count << 2;
  let squares = f32x4.splat(0);
  for (let i: usize = 0; i < end; i += 16) {
    const g = f32x4.mul(v128.load(gradients + i), scale4);
    const m = f32x4.add(f32x4.mul(v128.load(expAvg + i), beta1x4), f32x4.mul(g, rest1x4));
    const v = f32x4.add(f32x4.mul(v128.load(expAvgSq + i), beta2x4), f32x4.mul(f32x4.mul(g, g), rest2x4));
    const before = v128.load(parameters + i);
    const way = f32x4.div(f32x4.mul(m, rate4), f32x4.add(f32x4.sqrt(v), eps4));
    const p = f32x4.sub(f32x4.mul(before, decay4), way);
    const change = f32x4.sub(p, before);
    squares = f32x4.add(squares, f32x4.mul(change, change));
    v128.store(parameters + i, p);
    v128.store(expAvg + i, m);
    v128.store(expAvgSq + i, v);
  }
  return (
    f32x4.extract_lane(squares, 0) +
    f32x4.extract_lane(squares, 1) +
    f32x4.extract_lane(squares, 2) +
    f32x4.extract_lane(squares, 3)
  );
}

/** The sum of the squares of `count` elements, a multiple of 4, in double precision. */
export function sumOfSquares(values: usize, count: usize): f64 {
  let low = f64x2.splat(0);
  let high = f64x2.splat(0);
  const end = values + (count << 2);
  for (let i = values; i < end; i += 16) {
    const x = v128.load(i);
    const a = f64x2.promote_low_f32x4(x);
    const b = f64x2.promote_low_f32x4(i8x16.shuffle(x, x, 8, 9, 10, 11, 12, 13, 14, 15, 0, 0, 0, 0, 0, 0, 0, 0));
    low = f64x2.add(low, f64x2.mul(a, a));
    high = f64x2.add(high, f64x2.mul(b, b));
  }
  const both = f64x2.add(low, high);
  return f64x2.extract_lane(both, 0) + f64x2.extract_lane(both, 1);
}

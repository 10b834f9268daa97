import { ADAMW_DEFAULTS, AdamW, globalNorm } from "./adamw.js";

/** More than a tile, and no multiple of 4. */
const SIZE = 2 * 16384 + 3;
const wave = (phase: number, scale: number) =>
  Float32Array.from({ length: SIZE }, (_, i) => scale * Math.sin(i + phase));
const OPTIONS = { ...ADAMW_DEFAULTS, learningRate: 1e-2 };

test("arrays that lie elsewhere come out as those in the optimiser's own memory, which they leave as it was", () => {
  const [inside, outside] = [new AdamW(SIZE), new AdamW(SIZE)];
  inside.parameters.set(wave(1, 1));
  outside.parameters.fill(7);
  const parameters = wave(1, 1);
  for (const phase of [2, 3]) {
    inside.gradients.set(wave(phase, 1e-3));
    const change = inside.update(inside.parameters, inside.gradients, OPTIONS, 0.5);
    expect(outside.update(parameters, wave(phase, 1e-3), OPTIONS, 0.5)).toBe(change);
  }
  expect(parameters).toEqual(Float32Array.from(inside.parameters));
  expect(outside.expAvg).toEqual(inside.expAvg);
  expect(outside.expAvgSq).toEqual(inside.expAvgSq);
  expect(outside.parameters.every((value) => value === 7)).toBe(true);
});

test("the gradients' norm is summed in double precision", () => {
  const optimizer = new AdamW(SIZE);
  optimizer.gradients.set(wave(1, 1));
  optimizer.gradients[SIZE - 1] = 3e4;
  const exact = Math.sqrt(optimizer.gradients.reduce((sum, value) => sum + value * value, 0));
  expect(optimizer.gradientNorm()).toBeCloseTo(exact, 8);
  expect(globalNorm(optimizer.gradients)).toBeCloseTo(exact, 8);
});

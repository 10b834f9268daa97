import { bfloat16ToFloat32, float16ToFloat32, float32ToBfloat16, float32ToFloat16 } from "./float-formats.js";

const allPatterns = Uint16Array.from({ length: 1 << 16 }, (_, i) => i);

/** Rounds to the nearest of two neighbouring patterns in double precision: slow, but by the definition. */
function nearestPattern(value: number, decode: (patterns: Uint16Array) => Float32Array, infinity: number): number {
  let best = 0;
  const magnitudes = decode(allPatterns.subarray(0, infinity));
  while (best + 1 < infinity && magnitudes[best + 1]! <= value) best++;
  if (best + 1 === infinity) return value >= magnitudes[best]! * (1 + 2 ** -12) ? infinity : best;
  const [below, above] = [value - magnitudes[best]!, magnitudes[best + 1]! - value];
  return below < above || (below === above && best % 2 === 0) ? best : best + 1;
}

test("every binary16 number survives the way to float32 and back", () => {
  const back = float32ToFloat16(float16ToFloat32(allPatterns));
  const isNaN16 = (pattern: number) => (pattern & 0x7fff) > 0x7c00;
  const changed = allPatterns.filter((pattern) => !isNaN16(pattern) && back[pattern] !== pattern);
  expect([...changed]).toEqual([]);
  expect(allPatterns.filter(isNaN16).every((pattern) => isNaN16(back[pattern]!))).toBe(true);
});

test("every bfloat16 number survives the way to float32 and back", () => {
  const back = float32ToBfloat16(bfloat16ToFloat32(allPatterns));
  const isNaNPattern = (pattern: number) => (pattern & 0x7fff) > 0x7f80;
  const changed = allPatterns.filter((pattern) => !isNaNPattern(pattern) && back[pattern] !== pattern);
  expect([...changed]).toEqual([]);
  expect(allPatterns.filter(isNaNPattern).every((pattern) => isNaNPattern(back[pattern]!))).toBe(true);
});

test("known numbers have their known patterns", () => {
  const values = Float32Array.of(1, -2, 65504, 65519.996, 65520, 2 ** -24, 2 ** -25, 1.5 * 2 ** -25, 0.1);
  const patterns = [0x3c00, 0xc000, 0x7bff, 0x7bff, 0x7c00, 0x0001, 0x0000, 0x0001, 0x2e66];
  expect([...float32ToFloat16(values)]).toEqual(patterns);
  expect([...float32ToBfloat16(Float32Array.of(1, 0.1, 3.4e38, Number.NaN))]).toEqual([0x3f80, 0x3dcd, 0x7f80, 0x7fc0]);
});

test("rounding to binary16 is to the nearest, ties to even, among normal and subnormal numbers", () => {
  const values = Float32Array.from({ length: 400 }, (_, i) => {
    const pattern = (i * 79) % 0x7bff;
    const [low, high] = float16ToFloat32(Uint16Array.of(pattern, pattern + 1));
    return low! + ((high! - low!) * (i % 5)) / 4;
  });
  const expected = Array.from(values, (value) => nearestPattern(value, float16ToFloat32, 0x7c00));
  expect([...float32ToFloat16(values)]).toEqual(expected);
});

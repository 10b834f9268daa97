import { normalFromWord } from "./inverse-normal.js";

const MIDDLE = 0x80000000;

/**
 * Φ by its convergent series about 0 (|z| < 3) or continued fraction, in double precision: independent of the
 * approximation.
 */
function cumulative(z: number): number {
  const density = Math.exp((-z * z) / 2) / Math.sqrt(2 * Math.PI);
  if (Math.abs(z) < 3) {
    let term = z;
    let sum = z;
    for (let k = 3; Math.abs(term) > 1e-18; k += 2) {
      term *= (z * z) / k;
      sum += term;
    }
    return 0.5 + density * sum;
  }
  const size = Math.abs(z);
  let fraction = size;
  for (let k = 200; k >= 1; k--) fraction = size + k / fraction;
  return z < 0 ? density / fraction : 1 - density / fraction;
}

test("the normal of a word has the word's probability", () => {
  const words = [
    0,
    1,
    7,
    1000,
    65535,
    2 ** 24,
    321930000,
    322930000,
    2 ** 29,
    2 ** 30 + 12345,
    MIDDLE - 1,
    MIDDLE,
    3e9,
  ];
  for (const word of words) {
    const p = (word + 0.5) / 2 ** 32;
    expect(Math.abs(cumulative(normalFromWord(word)) / p - 1)).toBeLessThan(1e-13);
  }
});

test("known quantiles come out in double precision", () => {
  expect(normalFromWord(0)).toBeCloseTo(-6.337957754553789, 14);
  expect(normalFromWord(MIDDLE)).toBeCloseTo(Math.sqrt(2 * Math.PI) / 2 ** 33, 23);
});

test("mirrored words give opposite normals", () => {
  for (const word of [0, 3, 12345678, 322122546, 322122548, MIDDLE - 1]) {
    expect(normalFromWord(0xffffffff - word)).toBe(-normalFromWord(word));
  }
});

test("the normal grows with the word, also where the approximations meet", () => {
  const meeting = Math.round(0.075 * 2 ** 32);
  for (let word = meeting - 50; word < meeting + 50; word++) {
    expect(normalFromWord(word + 1)).toBeGreaterThan(normalFromWord(word));
  }
});

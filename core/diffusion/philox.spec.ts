import { createPhiloxStream, philox4x32 } from "./philox.js";

const ADDRESS = { iteration: 1, index: 42, purpose: 3 };
const SEED = 5775709n;

describe("philox4x32", () => {
  // Known answers of Random123 1.14 for philox4x32 with 10 rounds.
  test.each([
    [
      [0, 0, 0, 0],
      [0, 0],
      [0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8],
    ],
    [
      [0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff],
      [0xffffffff, 0xffffffff],
      [0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd],
    ],
    [
      [0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344],
      [0xa4093822, 0x299f31d0],
      [0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1],
    ],
  ])("counter %j under key %j gives the published words", (counter, key, words) => {
    const [c0, c1, c2, c3] = counter as [number, number, number, number];
    const [k0, k1] = key as [number, number];
    expect(philox4x32([c0, c1, c2, c3], [k0, k1])).toEqual(words);
  });
});

describe("a stream", () => {
  test("is the blocks of its counter under the seed, in order", () => {
    const seed = (0x299f31d0n << 32n) | 0xa4093822n;
    const stream = createPhiloxStream(seed, ADDRESS);
    const key = [0xa4093822, 0x299f31d0] as const;
    const expected = [0, 1].flatMap((block) => philox4x32([1, 42, 3, block], key));
    expect(Array.from({ length: 8 }, () => stream.uint32())).toEqual(expected);
  });

  test("repeats at the same address and differs at any other", () => {
    const first = (seed: bigint, address: typeof ADDRESS) => createPhiloxStream(seed, address).normals(4).join();
    const others = [
      first(SEED, { ...ADDRESS, iteration: 2 }),
      first(SEED, { ...ADDRESS, index: 43 }),
      first(SEED, { ...ADDRESS, purpose: 4 }),
      first(SEED + (1n << 32n), ADDRESS),
      first(SEED + 1n, ADDRESS),
    ];
    expect(first(SEED, ADDRESS)).toBe(first(SEED, { ...ADDRESS }));
    expect(new Set([first(SEED, ADDRESS), ...others]).size).toBe(6);
  });

  test("refuses seeds and addresses that do not fit the counter", () => {
    expect(() => createPhiloxStream(-1n, ADDRESS)).toThrow("seed is -1");
    expect(() => createPhiloxStream(1n << 64n, ADDRESS)).toThrow("2^64 - 1");
    expect(() => createPhiloxStream(SEED, { ...ADDRESS, index: 2 ** 32 })).toThrow("index of random numbers");
    expect(() => createPhiloxStream(SEED, { ...ADDRESS, purpose: 0.5 })).toThrow("purpose");
  });
});

describe("integers below a bound", () => {
  test("cover all values evenly", () => {
    const stream = createPhiloxStream(SEED, ADDRESS);
    const counts = new Array<number>(7).fill(0);
    for (let i = 0; i < 70_000; i++) counts[stream.integer(7)]!++;
    const chiSquare = counts.reduce((sum, n) => sum + (n - 10_000) ** 2 / 10_000, 0);
    expect(chiSquare).toBeLessThan(22.5); // 99.9 % quantile at 6 degrees of freedom
  });

  test("are not biased where the bound does not divide 2^32", () => {
    // Plain remainders of 3·2³⁰ would fall below 2³⁰ half of the time, not a third.
    const stream = createPhiloxStream(SEED, ADDRESS);
    let low = 0;
    for (let i = 0; i < 30_000; i++) if (stream.integer(3 * 2 ** 30) < 2 ** 30) low++;
    expect(Math.abs(low / 30_000 - 1 / 3)).toBeLessThan(0.01);
  });

  test("of 1 are 0, of 2^32 are whole words", () => {
    expect(createPhiloxStream(SEED, ADDRESS).integer(1)).toBe(0);
    expect(createPhiloxStream(SEED, ADDRESS).integer(2 ** 32)).toBe(createPhiloxStream(SEED, ADDRESS).uint32());
  });
});

test("uniforms lie in [0, 1) with the moments of the uniform distribution", () => {
  const stream = createPhiloxStream(SEED, ADDRESS);
  const values = Array.from({ length: 50_000 }, () => stream.uniform());
  expect(values.every((u) => u >= 0 && u < 1)).toBe(true);
  expect(Math.abs(average(values) - 0.5)).toBeLessThan(0.005);
  expect(Math.abs(average(values.map((u) => (u - 0.5) ** 2)) - 1 / 12)).toBeLessThan(0.002);
});

describe("normals", () => {
  const count = 200_000;
  const values = createPhiloxStream(SEED, { iteration: 0, index: 0, purpose: 1 }).normals(count);

  test("have mean 0, variance 1, no skew and kurtosis 3", () => {
    // Bounds of four standard errors: √(1/n), √(2/n), √(15/n), √(96/n).
    expect(Math.abs(average(values))).toBeLessThan(4 * Math.sqrt(1 / count));
    expect(Math.abs(average(values.map((z) => z ** 2)) - 1)).toBeLessThan(4 * Math.sqrt(2 / count));
    expect(Math.abs(average(values.map((z) => z ** 3)))).toBeLessThan(4 * Math.sqrt(15 / count));
    expect(Math.abs(average(values.map((z) => z ** 4)) - 3)).toBeLessThan(4 * Math.sqrt(96 / count));
  });

  test("pass the Kolmogorov–Smirnov test", () => {
    const sorted = values.slice().sort();
    let distance = 0;
    for (const [i, z] of sorted.entries()) {
      const p = cumulative(z);
      distance = Math.max(distance, Math.abs(p - i / count), Math.abs(p - (i + 1) / count));
    }
    expect(distance * Math.sqrt(count)).toBeLessThan(1.63); // 99 % quantile
  });

  test("are uncorrelated with their neighbours and across samples", () => {
    const other = createPhiloxStream(SEED, { iteration: 0, index: 1, purpose: 1 }).normals(count);
    const bound = 4 / Math.sqrt(count);
    expect(Math.abs(average(values.map((z, i) => z * other[i]!)))).toBeLessThan(bound);
    for (const lag of [1, 2, 4]) {
      expect(Math.abs(average(values.map((z, i) => z * (values[i + lag] ?? 0))))).toBeLessThan(bound);
    }
  });

  test("are these very numbers on every machine", () => {
    const words = new Uint32Array(values.slice(0, 8).buffer);
    expect(Array.from(words, (word) => word.toString(16))).toMatchInlineSnapshot(`
[
  "3e97d0f0",
  "3e164cd8",
  "be344470",
  "3f95b86a",
  "bf352916",
  "3e327365",
  "bf9c5bc3",
  "3f884b0b",
]
`);
  });
});

function average(values: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += values[i]!;
  return sum / values.length;
}

/** Φ(z) = ½ + φ(z) (z + z³/3 + z⁵/15 + …) */
function cumulative(z: number): number {
  let term = z;
  let sum = z;
  for (let k = 3; Math.abs(term) > 1e-12 && k < 400; k += 2) {
    term *= (z * z) / k;
    sum += term;
  }
  return 0.5 + (sum * Math.exp((-z * z) / 2)) / Math.sqrt(2 * Math.PI);
}

import { itemOfSample } from "./sample-order.js";

const key = { seed: 0x1234_5678_9abc_def0n, iteration: 2 };
const pass = (size: number, number: number, of = key) =>
  Array.from({ length: size }, (_, i) => itemOfSample(of, number * size + i, size));

test.each([1, 2, 3, 16, 17, 1000])("every pass over %i items shows each once", (size) => {
  for (const number of [0, 1, 5]) {
    const items = pass(size, number);
    expect(new Set(items).size).toBe(size);
    expect(Math.min(...items)).toBe(0);
    expect(Math.max(...items)).toBe(size - 1);
  }
});

test("passes, iterations and seeds have orders of their own", () => {
  const first = pass(100, 0);
  expect(pass(100, 0)).toEqual(first);
  expect(pass(100, 1)).not.toEqual(first);
  expect(pass(100, 0, { ...key, iteration: 3 })).not.toEqual(first);
  expect(pass(100, 0, { ...key, seed: key.seed + 1n })).not.toEqual(first);
  expect(pass(100, 0, { ...key, seed: key.seed + (1n << 32n) })).not.toEqual(first);
});

test("each item is as likely as any other to come first, second or last", () => {
  const [size, passes] = [10, 4000];
  for (const position of [0, 1, 9]) {
    const counts = new Array<number>(size).fill(0);
    for (let number = 0; number < passes; number++) counts[itemOfSample(key, number * size + position, size)]! += 1;
    const expected = passes / size;
    const chiSquared = counts.reduce((sum, count) => sum + (count - expected) ** 2 / expected, 0);
    expect(chiSquared).toBeLessThan(27.9); // 0.1 % of χ² with 9 degrees of freedom lie beyond
  }
});

test("neighbours in the set do not stay neighbours", () => {
  const items = pass(1000, 0);
  const adjacent = items.slice(1).filter((item, i) => Math.abs(item - items[i]!) === 1).length;
  expect(adjacent).toBeLessThan(10); // about 2 are expected
});

import { seededRandom } from "../../test/support/seeded-random.js";
import type { Features } from "./features.js";
import { drawSubsets, kid, kidOverSubsets, polynomialKernels } from "./kid.js";
import { mean } from "./summary.js";

const COLUMNS = 6;

function cloud(rows: number, shift: number, random: () => number): Features {
  const data = Float64Array.from({ length: rows * COLUMNS }, () => shift + random() + random() - 1);
  return { data, rows, columns: COLUMNS };
}

/** KID as its definition reads, pair by pair. */
function kidByDefinition(x: Features, y: Features): number {
  const row = ({ data }: Features, i: number): number[] => [...data.subarray(i * COLUMNS, (i + 1) * COLUMNS)];
  const k = (a: number[], b: number[]): number => (a.reduce((sum, v, i) => sum + v * b[i]!, 0) / COLUMNS + 1) ** 3;
  const within = (set: Features): number => {
    let total = 0;
    for (let i = 0; i < set.rows; i++)
      for (let j = 0; j < set.rows; j++) if (i !== j) total += k(row(set, i), row(set, j));
    return total / (set.rows * (set.rows - 1));
  };
  let across = 0;
  for (let i = 0; i < x.rows; i++) for (let j = 0; j < y.rows; j++) across += k(row(x, i), row(y, j));
  return within(x) + within(y) - (2 * across) / (x.rows * y.rows);
}

describe("kid", () => {
  test("is the definition's value for sets of different size", async () => {
    const random = seededRandom();
    const x = cloud(9, 0, random);
    const y = cloud(14, 0.4, random);
    expect(kid(await polynomialKernels(x, y))).toBeCloseTo(kidByDefinition(x, y), 12);
  });

  test("is unbiased: about zero on average, below it at times, for two sets of one distribution", async () => {
    const random = seededRandom(3);
    const values: number[] = [];
    for (let i = 0; i < 200; i++) {
      values.push(kid(await polynomialKernels(cloud(10, 0, random), cloud(10, 0, random))));
    }
    expect(Math.abs(mean(values))).toBeLessThan(0.02);
    expect(Math.min(...values)).toBeLessThan(0);
    expect(kid(await polynomialKernels(cloud(10, 0.5, random), cloud(10, 0, random)))).toBeGreaterThan(0.2);
  });

  test("refuses a set of one row, for which the unbiased estimate is undefined", async () => {
    const random = seededRandom();
    await expect(polynomialKernels(cloud(1, 0, random), cloud(5, 0, random))).rejects.toThrow(
      "the first feature set has 1 rows, at least 2 are needed",
    );
  });
});

describe("kid over subsets", () => {
  test("is the full value without spread when each subset is the whole set", async () => {
    const random = seededRandom(5);
    const kernels = await polynomialKernels(cloud(12, 0, random), cloud(12, 0.3, random));
    const result = kidOverSubsets(kernels, drawSubsets(12, 12, 5n, 4));
    expect(result.mean).toBeCloseTo(kid(kernels), 12);
    expect(result.standardDeviation).toBeCloseTo(0, 12);
  });

  test("draws the asked number of subsets, no row twice in one, no more rows than the smaller set has", () => {
    const subsets = drawSubsets(50, 20, 1n, 30);
    expect(subsets).toHaveLength(30);
    for (const { x, y } of subsets) {
      expect(new Set(x).size).toBe(20);
      expect(new Set(y).size).toBe(20);
      expect(Math.max(...x)).toBeLessThan(50);
    }
    expect(new Set(subsets.flatMap(({ x }) => [...x])).size).toBe(50);
  });
});

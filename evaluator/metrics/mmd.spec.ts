import { seededRandom } from "../../test/support/seeded-random.js";
import { drawResamples, percentileInterval } from "./bootstrap.js";
import type { Features } from "./features.js";
import {
  bootstrapMmd,
  type KernelMatrices,
  kernelMatrices,
  type MmdEstimator,
  squaredMmd,
  squaredMmdOverUnits,
} from "./mmd.js";
import { mean } from "./summary.js";

const COLUMNS = 6;

function cloud(rows: number, shift: number, random: () => number): Features {
  const data = Float64Array.from({ length: rows * COLUMNS }, () => shift + random() + random() - 1);
  return { data, rows, columns: COLUMNS };
}

async function kernelsOf(m: number, n: number, random: () => number): Promise<KernelMatrices> {
  return await kernelMatrices(cloud(m, 0, random), cloud(n, 0.3, random), (product) => Math.exp(product / COLUMNS));
}

const unitPerRow = (rows: number): Int32Array => Int32Array.from({ length: rows }, (_, i) => i);

describe("the squared MMD over units", () => {
  test("is the plain one where every row is a unit of its own", async () => {
    const kernels = await kernelsOf(6, 9, seededRandom(5));
    const units = { x: unitPerRow(6), y: unitPerRow(9).map((unit) => unit + 6) };
    for (const estimator of ["unbiased", "biased"] as const) {
      expect(squaredMmdOverUnits(kernels, units, estimator)).toBeCloseTo(squaredMmd(kernels, estimator), 12);
    }
  });

  test("is zero for a set against itself, row by row; the plain unbiased one falls below", async () => {
    const set = cloud(12, 0, seededRandom(6));
    const kernels = await kernelMatrices(set, set, (product) => Math.exp(product / COLUMNS));
    const units = { x: unitPerRow(12), y: unitPerRow(12) };
    expect(squaredMmdOverUnits(kernels, units, "unbiased")).toBeCloseTo(0, 12);
    expect(squaredMmdOverUnits(kernels, units, "biased")).toBeCloseTo(0, 12);
    expect(squaredMmd(kernels, "unbiased")).toBeLessThan(-0.01);
  });

  test("looks at pairs of different units alone where it is unbiased", async () => {
    const { m, n, xx, yy, xy } = await kernelsOf(4, 3, seededRandom(8));
    const [x, y] = [Int32Array.of(0, 1, 0, 1), Int32Array.of(0, 1, 1)];
    const meanApart = (kernel: Float64Array, rows: Int32Array, columns: Int32Array) => {
      const apart = kernel.filter((_, k) => rows[Math.floor(k / columns.length)] !== columns[k % columns.length]);
      return mean(apart);
    };
    const expected = meanApart(xx, x, x) + meanApart(yy, y, y) - 2 * meanApart(xy, x, y);
    expect(squaredMmdOverUnits({ m, n, xx, yy, xy }, { x, y }, "unbiased")).toBeCloseTo(expected, 12);
  });
});

describe.each<MmdEstimator>(["unbiased", "biased"])("%s bootstrap", (estimator) => {
  test("gives the full value when every unit is drawn once", async () => {
    const kernels = await kernelsOf(8, 8, seededRandom(7));
    for (const y of [unitPerRow(8), unitPerRow(8).reverse(), unitPerRow(8).map((unit) => unit >> 1)]) {
      const units = { x: unitPerRow(8), y };
      const replicates = await bootstrapMmd(kernels, units, [unitPerRow(8).reverse()], estimator);
      expect(replicates[0]).toBeCloseTo(squaredMmdOverUnits(kernels, units, estimator), 12);
    }
  });

  // The second set: drawn by itself, or the first one's rows with a little noise, as pictures of the same prompts.
  test.each([0, 0.5])("centres on the full value, although resamples hold copies, pairs alike by %d", async (alike) => {
    const random = seededRandom(9);
    const x = cloud(60, 0, random);
    const other = cloud(60, 0.3, random);
    const y = { ...other, data: other.data.map((value, i) => alike * x.data[i]! + value) };
    const kernels = await kernelMatrices(x, y, (product) => Math.exp(product / COLUMNS));
    const units = { x: unitPerRow(60), y: unitPerRow(60) };
    const replicates = await bootstrapMmd(kernels, units, await drawResamples(60, 400, 9n), estimator);
    const { low, high } = percentileInterval(replicates);
    const value = squaredMmdOverUnits(kernels, units, estimator);
    expect(Math.abs(mean(replicates) - value)).toBeLessThan((high - low) / 20);
    expect(low).toBeLessThan(value);
    expect(high).toBeGreaterThan(value);
  });

  test("draws all pictures of a prompt together, and pairs none with its copies", async () => {
    const kernels = await kernelsOf(6, 3, seededRandom(11)); // two rows a prompt, and one
    const units = { x: Int32Array.of(0, 1, 2, 0, 1, 2), y: Int32Array.of(0, 1, 2) };
    const [whole, some] = await bootstrapMmd(
      kernels,
      units,
      [Int32Array.of(2, 1, 0), Int32Array.of(1, 1, 2)],
      estimator,
    );
    expect(whole).toBeCloseTo(squaredMmdOverUnits(kernels, units, estimator), 12);
    // Prompt 1 twice and prompt 2 once: all pairs of different prompts are of these two.
    const term = (kernel: Float64Array, rows: Int32Array, columns: Int32Array): number => {
      const of = (unit: number, other: number) =>
        mean(
          [...kernel].filter((_, k) => {
            const [row, column] = [rows[Math.floor(k / columns.length)]!, columns[k % columns.length]!];
            return (row === unit && column === other) || (row === other && column === unit);
          }),
        );
      const apart = of(1, 2);
      const together = (2 * of(1, 1) + of(2, 2)) / 3;
      return estimator === "unbiased" ? apart : (2 * apart + together) / 3; // of three prompts, a third of pairs is within one
    };
    const { xx, yy, xy } = kernels;
    const expected = term(xx, units.x, units.x) + term(yy, units.y, units.y) - 2 * term(xy, units.x, units.y);
    expect(some).toBeCloseTo(expected, 12);
  });

  test("is undefined where a resample leaves one row alone", async () => {
    const kernels = await kernelsOf(2, 2, seededRandom(13));
    const units = { x: unitPerRow(2), y: unitPerRow(2) };
    const resamples = [Int32Array.of(1, 1), Int32Array.of(0, 1)];
    const replicates = await bootstrapMmd(kernels, units, resamples, estimator);
    expect(replicates[0]).toBeNaN();
    expect(percentileInterval(replicates).low).toBe(replicates[1]);
  });
});

import { seededRandom } from "../../test/support/seeded-random.js";
import { drawResamples, percentileInterval } from "./bootstrap.js";
import type { Features } from "./features.js";
import { bootstrapMmd, type KernelMatrices, kernelMatrices, type MmdEstimator, squaredMmd } from "./mmd.js";
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

describe.each<MmdEstimator>(["unbiased", "biased"])("%s bootstrap", (estimator) => {
  test("gives the full value when every unit is drawn once", async () => {
    const kernels = await kernelsOf(8, 8, seededRandom(7));
    const units = { x: unitPerRow(8), y: unitPerRow(8) };
    const replicates = await bootstrapMmd(kernels, units, [unitPerRow(8).reverse()], estimator);
    expect(replicates[0]).toBeCloseTo(squaredMmd(kernels, estimator), 12);
  });

  test("centres on the full value, although resamples hold copies", async () => {
    const random = seededRandom(9);
    const kernels = await kernelsOf(60, 60, random);
    const units = { x: unitPerRow(60), y: unitPerRow(60) };
    const replicates = await bootstrapMmd(kernels, units, await drawResamples(60, 400, 9n), estimator);
    const { low, high } = percentileInterval(replicates);
    const value = squaredMmd(kernels, estimator);
    expect(Math.abs(mean(replicates) - value)).toBeLessThan((high - low) / 20);
    expect(low).toBeLessThan(value);
    expect(high).toBeGreaterThan(value);
  });

  test("draws all pictures of a prompt together", async () => {
    const kernels = await kernelsOf(4, 3, seededRandom(11)); // prompt 0 has rows 0 and 2, prompt 1 the rest
    const units = { x: Int32Array.of(0, 1, 0, 1), y: Int32Array.of(0, 1, 1) };
    const [whole, first] = await bootstrapMmd(kernels, units, [Int32Array.of(1, 0), Int32Array.of(1, 1)], estimator);
    expect(whole).toBeCloseTo(squaredMmd(kernels, estimator), 12);
    // Both copies of prompt 1: rows 1 and 3 against rows 1 and 2, never a row against itself.
    const { xx, yy, xy } = kernels;
    const apartX = xx[1 * 4 + 3]!;
    const apartY = yy[1 * 3 + 2]!;
    const across = (xy[1 * 3 + 1]! + xy[1 * 3 + 2]! + xy[3 * 3 + 1]! + xy[3 * 3 + 2]!) / 4;
    const diagonalX = (xx[1 * 5]! + xx[3 * 5]!) / 2;
    const diagonalY = (yy[1 * 4]! + yy[2 * 4]!) / 2;
    const [withinX, withinY] =
      estimator === "unbiased" ? [apartX, apartY] : [(3 * apartX + diagonalX) / 4, (2 * apartY + diagonalY) / 3];
    expect(first).toBeCloseTo(withinX + withinY - 2 * across, 12);
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

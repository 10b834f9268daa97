import { seededRandom } from "../../test/support/seeded-random.js";
import { drawResamples, meanIntervals, percentileInterval, unitMeans } from "./bootstrap.js";

test("resamples are a function of the seed, and more of them begin with the same", async () => {
  expect((await drawResamples(10, 9, 2n)).slice(0, 5)).toEqual(await drawResamples(10, 5, 2n));
  expect(await drawResamples(10, 5, 2n)).not.toEqual(await drawResamples(10, 5, 3n));
});

test("resamples draw with replacement from every unit", async () => {
  const resamples = await drawResamples(6, 100, 1n);
  expect(new Set(resamples.flatMap((r) => [...r]))).toEqual(new Set([0, 1, 2, 3, 4, 5]));
  expect(resamples.some((r) => new Set(r).size < 6)).toBe(true);
});

test("the 95 % interval runs from percentile 2.5 to 97.5", () => {
  const replicates = Array.from({ length: 1001 }, (_, i) => (i * 617) % 1001);
  const { low, high } = percentileInterval(replicates);
  expect(low).toBeCloseTo(25, 9);
  expect(high).toBeCloseTo(975, 9);
});

test("the interval of a mean has about the width of the normal approximation", async () => {
  const random = seededRandom(4);
  const values = Float64Array.from({ length: 400 }, () => random()); // standard deviation 1/√12
  const [interval] = await meanIntervals([values], await drawResamples(400, 2000, 4n));
  const { low, high } = interval!;
  expect(high - low).toBeCloseTo((2 * 1.96) / Math.sqrt(12 * 400), 2);
});

test("values of one unit are averaged, in the units' order", () => {
  expect([...unitMeans([1, 10, 3, 20], Int32Array.of(0, 1, 0, 1))]).toEqual([2, 15]);
});

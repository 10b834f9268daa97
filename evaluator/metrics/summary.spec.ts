import { averageOfScores, mean, median, quantile, standardDeviation, summarise } from "./summary.js";

test("median is the middle of an odd number and the mean of the middle two of an even one", () => {
  expect(median([5, 1, 9])).toBe(5);
  expect(median([5, 1, 9, 6])).toBe(5.5);
});

test("median does not sort numbers as text, nor the caller's list", () => {
  const scores = [10, 9, 100];
  expect(median(scores)).toBe(10);
  expect(scores).toEqual([10, 9, 100]);
});

test("quantiles are linear between neighbours", () => {
  const ascending = Float64Array.of(0, 10, 20, 30);
  expect(quantile(ascending, 0)).toBe(0);
  expect(quantile(ascending, 0.25)).toBe(7.5);
  expect(quantile(ascending, 1)).toBe(30);
});

test("standard deviation divides by n", () => {
  expect(standardDeviation([1, 3])).toBe(1);
});

test("the average over scorers is the plain mean of their means and of their medians", () => {
  expect(
    averageOfScores([
      { mean: 1, median: 2 },
      { mean: 3, median: 6 },
    ]),
  ).toEqual({ mean: 2, median: 4 });
});

test("an empty list is refused rather than summed up as NaN", () => {
  expect(() => mean([])).toThrow("no values");
  expect(() => median([])).toThrow("no values");
});

test("a score that is not finite is named", () => {
  expect(() => summarise([1, Number.NaN])).toThrow("score 1 is NaN");
});

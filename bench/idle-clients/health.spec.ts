import { summarize } from "./health.js";

test("a percentile is the smallest time that so large a share of the answers kept", () => {
  const hundred = Array.from({ length: 100 }, (_, i) => 100 - i);
  expect(summarize(hundred)).toEqual({ count: 100, p50: 50, p99: 99, max: 100 });
  expect(summarize([7])).toEqual({ count: 1, p50: 7, p99: 7, max: 7 });
});

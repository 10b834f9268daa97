import {
  columnDecimals,
  formatDuration,
  formatInterval,
  formatNumber,
  formatPercent,
  formatProbability,
  formatShareInterval,
  formatSigned,
  shortDigest,
} from "./format.js";

test("a column shows three significant digits of its largest value, and two decimals at least", () => {
  expect(columnDecimals([20.5, 19.1])).toBe(2);
  expect(columnDecimals([0.378, 0.089])).toBe(3);
  expect(columnDecimals([-0.0951, 0.02])).toBe(4);
  expect(columnDecimals([0, 0])).toBe(2);
  expect(columnDecimals([])).toBe(2);
});

test("negative numbers carry a true minus, which a rounded zero loses", () => {
  expect(formatNumber(-0.25, 2)).toBe("−0.25");
  expect(formatNumber(-0.001, 2)).toBe("0.00");
  expect(formatSigned(0.25, 1)).toBe("+0.3");
  expect(formatSigned(0.001, 2)).toBe("0.00");
  expect(formatSigned(-2, 0)).toBe("−2");
});

test("shares read as percentages, whose interval does not repeat the sign", () => {
  expect(formatPercent(0.8312)).toBe("83.1\u202f%");
  expect(formatShareInterval({ value: 0.5, low: 0.479, high: 0.5 })).toBe("[47.9, 50.0]");
});

test("an interval that was not computed is left out", () => {
  expect(formatInterval({ value: 1 }, String)).toBe("");
});

test("small probabilities are bounded, not rounded to zero", () => {
  expect(formatProbability(0.0004)).toBe("< 0.001");
  expect(formatProbability(0.0123)).toBe("0.012");
  expect(formatProbability(0.5)).toBe("0.50");
});

test("durations change their units with their size and never show 60 seconds or minutes", () => {
  expect(formatDuration(41.6)).toBe("42 s");
  expect(formatDuration(59.7)).toBe("1 min 00 s");
  expect(formatDuration(485)).toBe("8 min 05 s");
  expect(formatDuration(3599.4)).toBe("59 min 59 s");
  expect(formatDuration(7199)).toBe("2 h 00 min");
});

test("a short digest is the head of the hexadecimal digits", () => {
  expect(shortDigest("sha256:0123456789abcdef")).toBe("0123456789ab");
});

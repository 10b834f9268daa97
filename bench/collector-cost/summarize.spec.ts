import { costs, formatCosts, type Measured } from "./summarize.js";

const one = (round: number, situation: Measured["situation"], seconds: number, digest = "a"): Measured => ({
  round,
  situation,
  seconds,
  loopSeconds: situation === "none" ? 1 : 1.1,
  digest,
  requests: situation === "none" ? 0 : 5,
});

test("a situation is set beside none of the same round, so that a machine that grows slow is slow for both", () => {
  const all = [
    ...[one(1, "none", 10), one(1, "slow", 11)],
    ...[one(2, "none", 20), one(2, "slow", 20)],
    ...[one(3, "none", 10), one(3, "slow", 10.5)],
  ];
  const [none, slow] = costs(all);
  expect(none).toMatchObject({ ratio: 1, range: [1, 1], isSame: true });
  expect(slow).toMatchObject({ situation: "slow", seconds: 11, isSame: true, requests: 5 });
  expect(slow!.ratio).toBeCloseTo(1.05);
  expect(slow!.range.map((value) => Number(value.toFixed(3)))).toEqual([1, 1.1]);
  expect(formatCosts(3, costs(all))).toContain(
    "| slow | 11.00 | 1.050 (1.000 to 1.100) | 1.00 % (0.50 % to 1.00 %) | 5 | the same |",
  );
});

test("other weights are told, and a round without none counts for nothing", () => {
  const all = [one(1, "none", 10), one(1, "resets", 10, "b"), one(2, "takes", 99)];
  expect(costs(all).map(({ situation, isSame }) => [situation, isSame])).toEqual([
    ["none", true],
    ["resets", false],
  ]);
});

import { seededRandom } from "../../test/support/seeded-random.js";
import { drawResamples } from "./bootstrap.js";
import { compareScores, signTest, winRate } from "./win-rate.js";

const eachItsOwnPrompt = (count: number): Int32Array => Int32Array.from({ length: count }, (_, i) => i);

describe("win rate", () => {
  test("counts ties half", () => {
    expect(winRate([2, 1, 5, 3], [1, 1, 6, 2])).toBe((1 + 0.5 + 0 + 1) / 4);
  });

  test("of a checkpoint over itself is one half", () => {
    expect(winRate([1, 2, 3], [1, 2, 3])).toBe(0.5);
  });

  test("refuses lists that are not paired", () => {
    expect(() => winRate([1, 2], [1])).toThrow("paired scores differ in number: 2 and 1");
  });

  test("refuses a score that is not a number instead of calling it a tie", () => {
    expect(() => winRate([1, Number.NaN], [1, 2])).toThrow("pair 1 has scores NaN and 2");
  });
});

describe("comparison", () => {
  test("an interval of clear wins excludes one half, and the sign test agrees", async () => {
    const random = seededRandom(6);
    const b = Float64Array.from({ length: 100 }, () => random());
    const a = b.map((score) => score + random() - 0.2);
    const {
      winRate: rate,
      meanDifference,
      signTest: p,
    } = compareScores(a, b, eachItsOwnPrompt(100), await drawResamples(100, 1000, 6n));
    expect(rate.low).toBeGreaterThan(0.5);
    expect(rate.low).toBeLessThan(rate.value);
    expect(rate.high).toBeGreaterThan(rate.value);
    expect(meanDifference.value).toBeCloseTo(0.3, 1);
    expect(p).toBeLessThan(0.001);
  });

  test("swapping the sides mirrors every figure", async () => {
    const a = [1, 5, 2, 8, 3];
    const b = [2, 4, 2, 6, 1];
    const resamples = await drawResamples(5, 200, 1n);
    const forth = compareScores(a, b, eachItsOwnPrompt(5), resamples);
    const back = compareScores(b, a, eachItsOwnPrompt(5), resamples);
    expect(back.winRate.value).toBeCloseTo(1 - forth.winRate.value, 12);
    expect(back.winRate.low).toBeCloseTo(1 - forth.winRate.high, 12);
    expect(back.meanDifference.high).toBeCloseTo(-forth.meanDifference.low, 12);
    expect(back.signTest).toBe(forth.signTest);
  });

  test("repeating every picture of a prompt does not make the interval narrower", async () => {
    const random = seededRandom(8);
    const a = Float64Array.from({ length: 40 }, () => random());
    const b = Float64Array.from({ length: 40 }, () => random());
    const twice = (values: Float64Array): Float64Array => Float64Array.from([...values, ...values]);
    const prompts = eachItsOwnPrompt(40);
    const resamples = await drawResamples(40, 500, 8n);
    const once = compareScores(a, b, prompts, resamples);
    expect(compareScores(twice(a), twice(b), Int32Array.from([...prompts, ...prompts]), resamples)).toEqual(once);
  });
});

describe("sign test", () => {
  test("is the exact binomial tail, both sides", () => {
    // 8 wins of 9: 2 · (1 + 9) / 2⁹; the tie is left out.
    expect(signTest([1, 1, 1, 1, 1, 1, 1, 1, 0, 0.5])).toBeCloseTo(20 / 512, 12);
  });

  test("is 1 for an even split and for nothing but ties", () => {
    expect(signTest([1, 0, 1, 0])).toBe(1);
    expect(signTest([0.5, 0.5])).toBe(1);
  });

  test("does not underflow with thousands of prompts", () => {
    const outcomes = Float64Array.from({ length: 3000 }, (_, i) => (i % 2 === 0 || i < 100 ? 1 : 0));
    // 1,550 wins of 3,000: z = 1.83 without, 1.81 with continuity correction.
    expect(signTest(outcomes)).toBeCloseTo(0.07075, 3);
  });
});

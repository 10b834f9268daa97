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

/** Under one scorer alone. */
async function compareOne(a: ArrayLike<number>, b: ArrayLike<number>, prompts: Int32Array, resamples: Int32Array[]) {
  return (await compareScores([{ a, b }], prompts, resamples)).each[0]!;
}

describe("comparison", () => {
  test("the average over scorers is of their win rates, with an interval of its own", async () => {
    const resamples = await drawResamples(4, 400, 2n);
    const scorers = [
      { a: [1, 1, 1, 1], b: [0, 0, 0, 0] },
      { a: [0, 0, 0, 1], b: [0, 1, 1, 0] },
    ];
    const { each, averageWinRate } = await compareScores(scorers, eachItsOwnPrompt(4), resamples);
    expect(each.map(({ winRate: rate, ties }) => [rate.value, ties])).toEqual([
      [1, 0],
      [(0.5 + 0 + 0 + 1) / 4, 1],
    ]);
    expect(averageWinRate.value).toBeCloseTo((1 + 0.375) / 2, 12);
    expect(averageWinRate.low).toBeGreaterThanOrEqual(0.5);
    expect(averageWinRate.high).toBeLessThanOrEqual(1);
  });

  test("four scorers at 3,200 prompts leave the event loop its turns", async () => {
    const random = seededRandom(9);
    const column = () => Float64Array.from({ length: 3200 }, () => random());
    const scorers = Array.from({ length: 4 }, () => ({ a: column(), b: column() }));
    // Which prompts are drawn does not matter here.
    const resample = Int32Array.from({ length: 3200 }, () => Math.floor(3200 * random()));
    const resamples = Array.from({ length: 2000 }, () => resample);
    let turns = 0;
    const timer = setInterval(() => {
      turns += 1;
    }, 1);
    await compareScores(scorers, eachItsOwnPrompt(3200), resamples);
    clearInterval(timer);
    expect(turns).toBeGreaterThanOrEqual(3);
  });

  test("an interval of clear wins excludes one half, and the sign test agrees", async () => {
    const random = seededRandom(6);
    const b = Float64Array.from({ length: 100 }, () => random());
    const a = b.map((score) => score + random() - 0.2);
    const {
      winRate: rate,
      meanDifference,
      signTest: p,
    } = await compareOne(a, b, eachItsOwnPrompt(100), await drawResamples(100, 1000, 6n));
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
    const forth = await compareOne(a, b, eachItsOwnPrompt(5), resamples);
    const back = await compareOne(b, a, eachItsOwnPrompt(5), resamples);
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
    const once = await compareOne(a, b, prompts, resamples);
    expect(await compareOne(twice(a), twice(b), Int32Array.from([...prompts, ...prompts]), resamples)).toEqual(once);
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

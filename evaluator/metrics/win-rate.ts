import { SpinError } from "../../core/errors.js";
import { type Estimate, meanIntervals, unitMeans } from "./bootstrap.js";
import { mean } from "./summary.js";

/** Result of one checkpoint against another on the same prompts and noise. */
export interface ScoreComparison {
  /** Share of prompts won by the first, ties half, in [0, 1]. */
  readonly winRate: Estimate;
  /** Mean of the score differences, first minus second. */
  readonly meanDifference: Estimate;
  /** Two-sided p of the exact sign test over prompts. */
  readonly signTest: number;
  /** Pictures that score alike. */
  readonly ties: number;
}

/** The same under several scorers, and over them. */
export interface ScoreComparisons {
  /** By scorer, in the given order. */
  readonly each: readonly ScoreComparison[];
  /** Mean of the scorers' win rates, the paper's "Average", in [0, 1]. */
  readonly averageWinRate: Estimate;
}

/** 1 where a is higher, 0 where b is, ½ where they tie. */
export function winOutcomes(a: ArrayLike<number>, b: ArrayLike<number>): Float64Array {
  requirePaired(a, b);
  return Float64Array.from(a, (score, i) => (score > b[i]! ? 1 : score < b[i]! ? 0 : 0.5));
}

/** Win rate of a over b, ties half, in [0, 1]. */
export function winRate(a: ArrayLike<number>, b: ArrayLike<number>): number {
  return mean(winOutcomes(a, b));
}

/**
 * Win rates and mean differences of a over b with paired bootstrap intervals, and sign tests. Every prompt counts once,
 * however many pictures it has.
 * @param scorers scores of both sides under each scorer; a[i] and b[i] are of the same prompt and noise.
 * @param prompts prompt 0 … of each picture.
 * @param resamples prompts drawn with replacement, from `drawResamples`.
 * @throws SpinError `invalid` for lists of different length or scores that are not finite.
 */
export async function compareScores(
  scorers: readonly { readonly a: ArrayLike<number>; readonly b: ArrayLike<number> }[],
  prompts: Int32Array,
  resamples: readonly Int32Array[],
): Promise<ScoreComparisons> {
  const pairs = scorers.map(({ a, b }) => {
    const outcomes = winOutcomes(a, b);
    const ties = outcomes.reduce((count, outcome) => count + (outcome === 0.5 ? 1 : 0), 0);
    const differences = Float64Array.from(a, (score, i) => score - b[i]!);
    return { ties, outcomes: unitMeans(outcomes, prompts), differences: unitMeans(differences, prompts) };
  });
  const average = pairs[0]!.outcomes.map((_, unit) => mean(pairs.map(({ outcomes }) => outcomes[unit]!)));
  const columns = [...pairs.flatMap(({ outcomes, differences }) => [outcomes, differences]), average];
  const intervals = await meanIntervals(columns, resamples);
  return {
    each: pairs.map(({ ties, outcomes, differences }, i) => ({
      winRate: { value: mean(outcomes), ...intervals[2 * i]! },
      meanDifference: { value: mean(differences), ...intervals[2 * i + 1]! },
      signTest: signTest(outcomes),
      ties,
    })),
    averageWinRate: { value: mean(average), ...intervals.at(-1)! },
  };
}

/**
 * Two-sided exact sign test: how likely a split of wins and losses at least this uneven is by chance. Ties are left out.
 * @param outcomes one a unit; above ½ a win, below ½ a loss.
 */
export function signTest(outcomes: ArrayLike<number>): number {
  let wins = 0;
  let losses = 0;
  for (let i = 0; i < outcomes.length; i++) {
    if (outcomes[i]! > 0.5) wins++;
    if (outcomes[i]! < 0.5) losses++;
  }
  const trials = wins + losses;
  // P(X ≤ fewer), X ~ Binomial(trials, ½), in logarithms: ½^trials underflows from 1,075 trials on.
  let logTerm = -trials * Math.LN2;
  let tail = Math.exp(logTerm);
  for (let k = 1; k <= Math.min(wins, losses); k++) {
    logTerm += Math.log((trials - k + 1) / k);
    tail += Math.exp(logTerm);
  }
  return Math.min(1, 2 * tail);
}

function requirePaired(a: ArrayLike<number>, b: ArrayLike<number>): void {
  if (a.length !== b.length) {
    throw new SpinError("invalid", `paired scores differ in number: ${a.length} and ${b.length}`, {
      remedy: "score both checkpoints on the same prompts and noise",
    });
  }
  for (let i = 0; i < a.length; i++) {
    if (!Number.isFinite(a[i]) || !Number.isFinite(b[i])) {
      throw new SpinError("invalid", `pair ${i} has scores ${a[i]} and ${b[i]}, of which one is not a finite number`);
    }
  }
}

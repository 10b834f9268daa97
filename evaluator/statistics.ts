import type { CheckpointResult, Comparison, ScoreComparison } from "../proto/gen/spin/v1/evaluation.js";
import { type Interval, percentileInterval } from "./metrics/bootstrap.js";
import { bootstrapCmmd, cmmd, gaussianKernels } from "./metrics/cmmd.js";
import type { Features } from "./metrics/features.js";
import { bootstrapKid, kidOverPrompts, polynomialKernels } from "./metrics/kid.js";
import type { ResamplingUnits } from "./metrics/mmd.js";
import { mean, summarise } from "./metrics/summary.js";
import { compareScores } from "./metrics/win-rate.js";
import { type Distance, type PictureScores, requireSameProtocol } from "./picture-scores.js";

/** What is resampled: prompts, and which one each picture belongs to. */
export interface Resampling {
  /** Prompts drawn with replacement, the same for every checkpoint. */
  readonly resamples: readonly Int32Array[];
  /** Prompt of each picture of a checkpoint. */
  readonly prompts: Int32Array;
}

/** KID and CMMD between two sets of embeddings, with their values in every resample. */
export async function distances(
  x: Features,
  y: Features,
  units: ResamplingUnits,
  resamples: readonly Int32Array[],
): Promise<{ readonly kid: Distance; readonly cmmd: Distance }> {
  const polynomial = await polynomialKernels(x, y);
  const gaussian = await gaussianKernels(x, y);
  return {
    kid: { value: kidOverPrompts(polynomial, units), replicates: await bootstrapKid(polynomial, units, resamples) },
    cmmd: { value: cmmd(gaussian), replicates: await bootstrapCmmd(gaussian, units, resamples) },
  };
}

/**
 * A checkpoint's results.
 *
 * @param baseline what win rates are over; absent for the baseline itself and for real pictures.
 */
export function resultOf(
  measured: PictureScores,
  baseline: PictureScores | undefined,
  { resamples, prompts }: Resampling,
): CheckpointResult {
  return {
    label: measured.label,
    checkpointDigest: measured.checkpointDigest,
    scores: [...measured.scores].map(([scorer, scores]) => ({
      scorer,
      ...summarise(scores),
      winRate: baseline && compareScores(scores, baseline.scores.get(scorer)!, prompts, resamples).winRate,
    })),
    similarity: mean(measured.similarities),
    kid: { value: measured.kid.value, ...percentileInterval(measured.kid.replicates) },
    cmmd: { value: measured.cmmd.value, ...percentileInterval(measured.cmmd.replicates) },
    numImages: measured.similarities.length,
  };
}

/** A comparison with the exact sign test under each scorer, which the contract has no field for. */
export interface TestedComparison {
  readonly comparison: Comparison;
  /** Two-sided p over prompts, by scorer in the order of the comparison. */
  readonly signTests: readonly number[];
}

/**
 * How checkpoint a stands to checkpoint b on the same prompts and noise.
 * @throws SpinError `precondition` where they were not measured alike.
 */
export function compareCheckpoints(a: PictureScores, b: PictureScores, resampling: Resampling): TestedComparison {
  requireSameProtocol(a, b);
  const { resamples, prompts } = resampling;
  const signTests: number[] = [];
  const scores = [...a.scores].map(([scorer, own]): ScoreComparison => {
    const { winRate, meanDifference, signTest } = compareScores(own, b.scores.get(scorer)!, prompts, resamples);
    signTests.push(signTest);
    return { scorer, winRate, meanDifference, numPairs: own.length };
  });
  const comparison = {
    labelA: a.label,
    labelB: b.label,
    scores,
    kidDifference: { value: a.kid.value - b.kid.value, ...differenceInterval(a.kid, b.kid) },
    cmmdDifference: { value: a.cmmd.value - b.cmmd.value, ...differenceInterval(a.cmmd, b.cmmd) },
  };
  return { comparison, signTests };
}

/** Both sides have the same resamples, so their differences are paired. */
function differenceInterval(a: Distance, b: Distance): Interval {
  return percentileInterval(Array.from(a.replicates, (value, i) => value - b.replicates[i]!));
}

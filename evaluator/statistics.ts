import type { CheckpointResult, Comparison, ScoreComparison } from "../proto/gen/spin/v1/evaluation.js";
import { type Interval, percentileInterval } from "./metrics/bootstrap.js";
import { bootstrapCmmd, cmmd, gaussianKernels } from "./metrics/cmmd.js";
import type { Features } from "./metrics/features.js";
import { bootstrapKid, kidOverPrompts, polynomialKernels } from "./metrics/kid.js";
import type { ResamplingUnits } from "./metrics/mmd.js";
import { averageOfScores, mean, summarise } from "./metrics/summary.js";
import { compareScores, type ScoreComparisons } from "./metrics/win-rate.js";
import { type Distance, numPictures, type PictureScores, requireSameProtocol } from "./picture-scores.js";
import { protocolMessage } from "./protocol-message.js";

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
export async function resultOf(
  measured: PictureScores,
  baseline: PictureScores | undefined,
  resampling: Resampling,
): Promise<CheckpointResult> {
  const wins = baseline && (await winsOver(measured, baseline, resampling));
  const scores = [...measured.scores].map(([scorer, all], i) => ({
    scorer,
    ...summarise(all),
    winRate: wins?.each[i]?.winRate,
  }));
  return {
    label: measured.label,
    checkpointDigest: measured.checkpointDigest,
    scores,
    similarity: measured.similarities && mean(measured.similarities),
    kid: withInterval(measured.kid),
    cmmd: withInterval(measured.cmmd),
    numImages: numPictures(measured),
    average:
      scores.length === 1 ? undefined : { scorer: "", ...averageOfScores(scores), winRate: wins?.averageWinRate },
  };
}

/**
 * How checkpoint a stands to checkpoint b on the same prompts and noise.
 * @throws SpinError `precondition` where they were not measured alike.
 */
export async function compareCheckpoints(
  a: PictureScores,
  b: PictureScores,
  resampling: Resampling,
): Promise<Comparison> {
  requireSameProtocol(a, b);
  const { each, averageWinRate } = await winsOver(a, b, resampling);
  const scores = [...a.scores].map(([scorer, own], i): ScoreComparison => {
    const { winRate, meanDifference, signTest, ties } = each[i]!;
    return { scorer, winRate, meanDifference, numPairs: own.length, signTestP: signTest, numTies: ties };
  });
  return {
    labelA: a.label,
    labelB: b.label,
    scores,
    kidDifference: difference(a.kid, b.kid),
    cmmdDifference: difference(a.cmmd, b.cmmd),
    averageWinRate: scores.length === 1 ? undefined : averageWinRate,
    checkpointDigestA: a.checkpointDigest,
    checkpointDigestB: b.checkpointDigest,
    protocol: protocolMessage(a.protocol),
  };
}

function winsOver(a: PictureScores, b: PictureScores, { prompts, resamples }: Resampling): Promise<ScoreComparisons> {
  const scorers = [...a.scores].map(([scorer, own]) => ({ a: own, b: b.scores.get(scorer)! }));
  return compareScores(scorers, prompts, resamples);
}

function withInterval(distance: Distance | undefined) {
  return distance && { value: distance.value, ...percentileInterval(distance.replicates) };
}

/** Both sides have the same resamples, so their differences are paired. */
function difference(a: Distance | undefined, b: Distance | undefined): (Interval & { value: number }) | undefined {
  if (a === undefined || b === undefined) return undefined;
  const replicates = Array.from(a.replicates, (value, i) => value - b.replicates[i]!);
  return { value: a.value - b.value, ...percentileInterval(replicates) };
}

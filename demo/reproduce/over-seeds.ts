import type { PictureTable } from "../../cli/evaluate/picture-table.js";
import { SpinError } from "../../core/errors.js";
import { drawResamples, type Estimate, meanIntervals, unitMeans } from "../../evaluator/metrics/bootstrap.js";
import { mean, median, standardDeviation } from "../../evaluator/metrics/summary.js";
import { compareScores } from "../../evaluator/metrics/win-rate.js";

/** One label's scores over all training seeds. */
export interface LabelScores {
  readonly label: string;
  /** One list a training seed, picture by picture. */
  readonly bySeed: readonly (readonly number[])[];
  /** Prompt of each picture, the same for every seed. */
  readonly prompts: readonly number[];
}

/** Figures of one label over all training seeds. */
export interface LabelFigures {
  readonly label: string;
  /** Mean score with its interval over prompts. */
  readonly score: Estimate;
  readonly median: number;
  /** Mean scores of the single seeds, and their standard deviation (dividing by the number of seeds). */
  readonly seedMeans: readonly number[];
  readonly seedDeviation: number;
}

/** How one label stands to another, all training seeds together. */
export interface PairFigures {
  readonly a: string;
  readonly b: string;
  readonly winRate: Estimate;
  readonly meanDifference: Estimate;
  /** Of the single seeds. */
  readonly seedWinRates: readonly number[];
}

/** Each label's scores, from one table a training seed. @throws SpinError where the tables have other pictures */
export function scoresByLabel(tables: readonly PictureTable[]): Map<string, LabelScores> {
  const labels = [...new Set(tables[0]!.rows.map(({ label }) => label))];
  return new Map(
    labels.map((label) => {
      const parts = tables.map(({ rows }) => rows.filter((row) => row.label === label));
      const pictures = JSON.stringify(parts[0]!.map(({ promptIndex, seed }) => [promptIndex, String(seed)]));
      for (const part of parts) {
        if (JSON.stringify(part.map(({ promptIndex, seed }) => [promptIndex, String(seed)])) === pictures) continue;
        throw new SpinError("internal", `the pictures of ${label} are not of the same prompts and noise in every seed`);
      }
      const bySeed = parts.map((part) => part.map(({ scores }) => scores[0]!));
      return [label, { label, bySeed, prompts: parts[0]!.map(({ promptIndex }) => promptIndex) }] as const;
    }),
  );
}

/** Figures of a label; resamples are of prompts, training seeds are averaged. */
export async function figuresOf(
  { label, bySeed, prompts }: LabelScores,
  resamples: readonly Int32Array[],
): Promise<LabelFigures> {
  const units = unitMeans(bySeed.flat(), promptsOf(prompts, bySeed.length));
  const [interval] = await meanIntervals([units], resamples);
  const seedMeans = bySeed.map(mean);
  return {
    label,
    score: { value: mean(units), ...interval! },
    median: median(bySeed.flat()),
    seedMeans,
    seedDeviation: standardDeviation(seedMeans),
  };
}

/** Win rate and mean difference of a over b, picture by picture within each training seed. */
export async function pairOf(a: LabelScores, b: LabelScores, resamples: readonly Int32Array[]): Promise<PairFigures> {
  const count = a.bySeed.length;
  const all = { a: a.bySeed.flat(), b: b.bySeed.flat() };
  const { each } = await compareScores([all], promptsOf(a.prompts, count), resamples);
  const seedWinRates: number[] = [];
  for (const [i, scores] of a.bySeed.entries()) {
    const one = await compareScores(
      [{ a: scores, b: b.bySeed[i]! }],
      Int32Array.from(a.prompts),
      resamples.slice(0, 1),
    );
    seedWinRates.push(one.each[0]!.winRate.value);
  }
  const { winRate, meanDifference } = each[0]!;
  return { a: a.label, b: b.label, winRate, meanDifference, seedWinRates };
}

/** The resamples that all figures share. */
export function resamplesOf({ prompts }: LabelScores, count: number): Promise<Int32Array[]> {
  return drawResamples(1 + Math.max(...prompts), count, 0n);
}

function promptsOf(prompts: readonly number[], seeds: number): Int32Array {
  return Int32Array.from(Array.from({ length: seeds }, () => prompts).flat());
}

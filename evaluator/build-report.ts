import { JobState } from "../proto/gen/spin/v1/common.js";
import type { TrainingCurve } from "../proto/gen/spin/v1/evaluation.js";
import type { Evaluation } from "../proto/gen/spin/v1/evaluator_service.js";
import { SamplerKind, type SamplerSettings } from "../proto/gen/spin/v1/sampling.js";
import { Comparer } from "./comparer.js";
import { fileName, shownPrompts } from "./evaluation-pictures.js";
import type { EvaluationStore } from "./evaluation-store.js";
import { numPictures, type PictureScores } from "./picture-scores.js";
import type {
  IterationCurve,
  Picture,
  PictureGrid,
  Report,
  ReportComparison,
  ReportScorer,
  Settings,
} from "./report/report.js";
import { REAL_LABEL } from "./requests.js";
import { evaluationRows, interval } from "./rows.js";

/** Up to so many checkpoints are compared each with each; more of them with the baseline alone. */
const MAX_ALL_PAIRS = 8;
const REAL_COLUMN = "real winner";

/** Everything the HTML report of a finished evaluation shows. */
export async function buildReport(
  store: EvaluationStore,
  evaluation: Evaluation,
  curves: readonly TrainingCurve[],
): Promise<Report> {
  const { rows, floor } = evaluationRows(evaluation);
  const spec = evaluation.spec!;
  const measured: PictureScores[] = [];
  for (const { name } of rows) measured.push(await store.readScores(evaluation.evaluationId, fileName(spec, name)));
  return {
    title: `Evaluation of ${spec.prompts!.name}`,
    baseline: spec.baselineLabel,
    checkpoints: rows,
    floor,
    scorers: scorersOf(
      evaluation,
      rows.map(({ name }) => name),
    ),
    comparisons: await comparisonsOf(measured),
    pictures: await picturesOf(store, evaluation, measured),
    iterations: curves.map(iterationOf),
    lineage: [],
    protocol: protocolOf(evaluation, measured[0]),
    fingerprint: evaluation.computeFingerprint,
    seconds: secondsOf(evaluation),
  };
}

function scorersOf({ scorers, results }: Evaluation, names: readonly string[]): ReportScorer[] {
  const ordered = names.map((name) => results.find(({ label }) => label === name)!);
  const even = { value: 0.5, low: 0.5, high: 0.5 };
  return scorers.map(({ name, digest, pairAccuracy }, i) => {
    // The first scorer's values are in the rows already.
    if (i === 0) return { name, digest, pairAccuracy };
    const own = ordered.map(({ scores }) => {
      const { mean, median, winRate } = scores[i]!;
      return { mean, median, winRate: winRate === undefined ? even : interval(winRate) };
    });
    return { name, digest, pairAccuracy, results: own };
  });
}

async function comparisonsOf(measured: readonly PictureScores[]) {
  const comparer = new Comparer();
  const comparisons: ReportComparison[] = [];
  for (const [i, a] of measured.entries()) {
    // The baseline is the first.
    for (const b of measured.slice(0, measured.length <= MAX_ALL_PAIRS ? i : Math.min(i, 1))) {
      const { scores, kidDifference } = await comparer.compare(a, b);
      const { winRate, signTestP, meanDifference } = scores[0]!;
      comparisons.push({
        a: a.label,
        b: b.label,
        winRate: interval(winRate!),
        signTest: signTestP,
        meanDifference: meanDifference!,
        kidDifference,
      });
    }
  }
  return comparisons;
}

async function picturesOf(
  store: EvaluationStore,
  { evaluationId, spec, numPrompts }: Evaluation,
  measured: readonly PictureScores[],
): Promise<PictureGrid> {
  const real = await store.readScores(evaluationId, REAL_LABEL);
  const columns = [real, ...measured];
  const rows: PictureGrid["rows"][number][] = [];
  for (const prompt of shownPrompts(numPrompts)) {
    const pictures: (Picture | null)[] = [];
    for (const column of columns) {
      const png = await store.readPicture(evaluationId, fileName(spec!, column.label), prompt);
      const [scores] = column.scores.values();
      pictures.push(png === undefined ? null : { png: png.toString("base64"), score: scores?.[prompt] });
    }
    rows.push({ prompt: real.prompts[prompt]!, pictures });
  }
  return { columns: [REAL_COLUMN, ...measured.map(({ label }) => label)], rows };
}

/** SFT has no opponent, and no margins either; the curve of an iteration of self-play does not name its opponent. */
function iterationOf({ label, steps }: TrainingCurve): IterationCurve {
  const isSelfPlay = steps.some(({ margin, implicitAccuracy }) => margin !== 0 || implicitAccuracy !== 0);
  return { name: label, steps, ...(isSelfPlay && { opponent: "the checkpoint before it" }) };
}

function protocolOf(evaluation: Evaluation, measured: PictureScores | undefined): Settings {
  const { prompts, sampler, seeds, batchSize, bootstrapSamples, bootstrapSeed } = evaluation.spec!;
  return {
    evaluation: evaluation.evaluationId,
    prompts: `${evaluation.numPrompts} of ${prompts!.name} (${prompts!.split}), ${prompts!.digest}`,
    pictures: measured === undefined ? 0 : numPictures(measured),
    sampler: `${SAMPLERS[sampler!.kind]}, ${sampler!.numSteps} steps, η ${sampler!.eta}`,
    guidance: guidanceText(sampler!),
    ...(sampler!.clipSkip > 0 && { "clip skip": sampler!.clipSkip }),
    seeds: seeds.join(", "),
    "rendered together": batchSize,
    intervals: `95 %, ${bootstrapSamples} resamples of prompts, seed ${bootstrapSeed}`,
  };
}

function guidanceText({ guidanceScale, guidanceRescale, negativePrompt }: SamplerSettings): string {
  const rescale = guidanceRescale > 0 ? `, rescaled by ${guidanceRescale}` : "";
  return `${guidanceScale}${rescale}${negativePrompt === undefined ? "" : `, away from "${negativePrompt}"`}`;
}

const SAMPLERS: Readonly<Record<SamplerKind, string>> = {
  [SamplerKind.SAMPLER_KIND_UNSPECIFIED]: "the model's own",
  [SamplerKind.SAMPLER_KIND_DDIM]: "DDIM",
  [SamplerKind.SAMPLER_KIND_PNDM]: "PNDM",
};

function secondsOf({ createTime, endTime, state }: Evaluation): number {
  if (state !== JobState.JOB_STATE_SUCCEEDED) return 0;
  const seconds = (time: typeof createTime) => Number(time!.seconds) + time!.nanos / 1e9;
  return seconds(endTime) - seconds(createTime);
}

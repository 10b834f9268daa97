import { SpinError } from "../core/errors.js";
import { type Estimate, JobState } from "../proto/gen/spin/v1/common.js";
import type { Comparison, ScoreSummary, TrainingCurve } from "../proto/gen/spin/v1/evaluation.js";
import type { Evaluation, GetReportRequest } from "../proto/gen/spin/v1/evaluator_service.js";
import { SamplerKind, type SamplerSettings } from "../proto/gen/spin/v1/sampling.js";
import { Comparer } from "./comparer.js";
import { fileName, shownPrompts } from "./evaluation-pictures.js";
import type { EvaluationStore } from "./evaluation-store.js";
import { numPictures, type PictureScores } from "./picture-scores.js";
import type {
  IterationCurve,
  LineageEntry,
  Picture,
  PictureGrid,
  Report,
  ReportComparison,
  ScorerResult,
  Settings,
} from "./report/report.js";
import { lineageOf, selfPlayOf } from "./report-lineage.js";
import { REAL_LABEL } from "./requests.js";
import { evaluationRows, interval } from "./rows.js";

/** Up to so many checkpoints are compared each with each; more of them with the baseline alone. */
const MAX_ALL_PAIRS = 8;
const REAL_COLUMN = "real winner";

/** Everything the HTML report of a finished evaluation shows. @throws SpinError `notFound` for an unknown reference */
export async function buildReport(
  store: EvaluationStore,
  evaluation: Evaluation,
  { curves, lineage, timeline, referenceLabel, estimate }: Omit<GetReportRequest, "evaluationId">,
): Promise<Report> {
  const { rows, floor } = evaluationRows(evaluation);
  const spec = evaluation.spec!;
  const names = rows.map(({ name }) => name);
  const reference = referenceOf(names, spec.baselineLabel, referenceLabel);
  const measured: PictureScores[] = [];
  for (const name of names) measured.push(await store.readScores(evaluation.evaluationId, fileName(spec, name)));
  const comparer = new Comparer();
  const entries = lineageOf(lineage, rows);
  return {
    title: `Evaluation of ${spec.prompts!.name}`,
    baseline: spec.baselineLabel,
    ...(reference !== undefined && { reference }),
    checkpoints: rows,
    floor,
    ...(await scorersOf(evaluation, measured, reference, comparer)),
    selfPlay: selfPlayOf(spec.baselineLabel, names, lineage),
    comparisons: await comparisonsOf(measured, comparer),
    pictures: await picturesOf(store, evaluation, measured),
    iterations: curves.map((curve) => iterationOf(curve, entries)),
    lineage: entries,
    ...(timeline !== undefined && { timeline }),
    ...(estimate !== undefined && { estimate }),
    protocol: protocolOf(evaluation, measured[0]),
    fingerprint: evaluation.computeFingerprint,
    seconds: secondsOf(evaluation),
  };
}

/** What the paper's table 4 is over. */
function referenceOf(names: readonly string[], baseline: string, asked: string | undefined): string | undefined {
  if (asked === undefined) return names.find((name) => name !== baseline && name.toLowerCase().includes("dpo"));
  if (names.includes(asked)) return asked;
  throw new SpinError("notFound", `the evaluation has no checkpoint "${asked}"`, {
    field: "reference_label",
    remedy: `name one of ${names.join(", ")}`,
  });
}

/** Every scorer's figures by checkpoint, and their average where there are several. */
async function scorersOf(
  { scorers, results }: Evaluation,
  measured: readonly PictureScores[],
  reference: string | undefined,
  comparer: Comparer,
): Promise<Pick<Report, "scorers" | "average">> {
  const over = measured.find(({ label }) => label === reference);
  const figures = measured.map(({ label }) => results.find((result) => result.label === label)!);
  const against: (Comparison | undefined)[] = [];
  for (const one of measured) {
    against.push(over === undefined || one === over ? undefined : await comparer.compare(one, over));
  }
  const result = ({ mean, median, winRate }: ScoreSummary, overReference: Estimate | undefined): ScorerResult => ({
    mean,
    median,
    ...(winRate !== undefined && { winRate: interval(winRate) }),
    ...(overReference !== undefined && { overReference: interval(overReference) }),
  });
  const columns = scorers.map(({ name, digest, pairAccuracy }, s) => ({
    name,
    digest,
    ...(pairAccuracy !== undefined && { pairAccuracy }),
    results: figures.map(({ scores }, i) => result(scores[s]!, against[i]?.scores[s]?.winRate)),
  }));
  const averages = figures.flatMap(({ average }, i) =>
    average === undefined ? [] : [result(average, against[i]?.averageWinRate)],
  );
  return { scorers: columns, ...(averages.length === figures.length && { average: averages }) };
}

async function comparisonsOf(measured: readonly PictureScores[], comparer: Comparer) {
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
  { evaluationId, spec, numPrompts, real }: Evaluation,
  measured: readonly PictureScores[],
): Promise<PictureGrid> {
  const hasReal = real !== undefined;
  const columns = [...(hasReal ? [await store.readScores(evaluationId, REAL_LABEL)] : []), ...measured];
  const rows: PictureGrid["rows"][number][] = [];
  for (const prompt of shownPrompts(numPrompts)) {
    const pictures: (Picture | null)[] = [];
    for (const column of columns) {
      const png = await store.readPicture(evaluationId, fileName(spec!, column.label), prompt);
      const [scores] = column.scores.values();
      pictures.push(png === undefined ? null : { png: png.toString("base64"), score: scores?.[prompt] });
    }
    rows.push({ prompt: columns[0]!.prompts[prompt]!, pictures });
  }
  return { columns: [...(hasReal ? [REAL_COLUMN] : []), ...measured.map(({ label }) => label)], rows };
}

/** SFT has no opponent, and no margins either; that of an iteration of self-play is what it was trained from. */
function iterationOf({ label, steps }: TrainingCurve, lineage: readonly LineageEntry[]): IterationCurve {
  const isPairwise = steps.some(({ margin, implicitAccuracy }) => margin !== 0 || implicitAccuracy !== 0);
  const parent = lineage.find(({ name }) => name === label)?.parent;
  return { name: label, steps, ...(isPairwise && { opponent: parent ?? "the checkpoint before it" }) };
}

function protocolOf(evaluation: Evaluation, measured: PictureScores | undefined): Settings {
  const { prompts, sampler, seeds, batchSize, bootstrapSamples, bootstrapSeed } = evaluation.spec!;
  return {
    evaluation: evaluation.evaluationId,
    prompts: `${evaluation.numPrompts} of ${prompts!.name} (${prompts!.split}), ${prompts!.digest}`,
    pictures: measured === undefined ? 0 : numPictures(measured),
    sampler: `${SAMPLERS[sampler!.kind]}, ${sampler!.numSteps} steps, η ${sampler!.eta}${spacingText(sampler!)}`,
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

function spacingText({ timestepSpacing, karrasSigmas, zeroSnr }: SamplerSettings): string {
  const spacing = ["", ", leading", ", trailing", ", linspace"][timestepSpacing ?? 0];
  return `${spacing}${karrasSigmas ? ", Karras's σ" : ""}${zeroSnr ? ", zero terminal SNR" : ""}`;
}

const SAMPLERS: Readonly<Record<SamplerKind, string>> = {
  [SamplerKind.SAMPLER_KIND_UNSPECIFIED]: "the model's own",
  [SamplerKind.SAMPLER_KIND_DDIM]: "DDIM",
  [SamplerKind.SAMPLER_KIND_PNDM]: "PNDM",
  [SamplerKind.SAMPLER_KIND_DDPM]: "DDPM",
  [SamplerKind.SAMPLER_KIND_EULER]: "Euler",
  [SamplerKind.SAMPLER_KIND_DPM_SOLVER]: "DPM-Solver++ (2M)",
};

function secondsOf({ createTime, endTime, state }: Evaluation): number {
  if (state !== JobState.JOB_STATE_SUCCEEDED) return 0;
  const seconds = (time: typeof createTime) => Number(time!.seconds) + time!.nanos / 1e9;
  return seconds(endTime) - seconds(createTime);
}

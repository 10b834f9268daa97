import { SpinError } from "../core/errors.js";
import type { Estimate as EstimateMessage } from "../proto/gen/spin/v1/common.js";
import type { CheckpointResult } from "../proto/gen/spin/v1/evaluation.js";
import type { Evaluation } from "../proto/gen/spin/v1/evaluator_service.js";
import type { EvaluationRow, FloorRow } from "./evaluation-row.js";
import type { Estimate } from "./metrics/bootstrap.js";

/** A checkpoint over itself. */
const EVEN: Estimate = { value: 0.5, low: 0.5, high: 0.5 };

/** The rows of summary, table and report, from an evaluation as the service tells it; the baseline first. */
export function evaluationRows(evaluation: Evaluation): { rows: EvaluationRow[]; floor: FloorRow | undefined } {
  const { spec, results, real } = evaluation;
  const rows = results.map((result): EvaluationRow => {
    const steps = spec?.checkpoints.find(({ label }) => label === result.label)?.totalSteps ?? 0;
    const winRate = scoreOf(result).winRate;
    return {
      name: result.label,
      digest: result.checkpointDigest,
      steps,
      ...figures(result),
      winRate: winRate === undefined ? EVEN : interval(winRate),
    };
  });
  const isBaseline = ({ name }: EvaluationRow) => name === spec?.baselineLabel;
  return {
    rows: [...rows.filter(isBaseline), ...rows.filter((row) => !isBaseline(row))],
    floor: real && figures(real),
  };
}

/** An estimate that has its interval. */
export function interval({ value, low, high }: EstimateMessage): Estimate {
  return { value, low: low ?? value, high: high ?? value };
}

function figures(result: CheckpointResult): FloorRow {
  const { mean, median } = scoreOf(result);
  return {
    score: { mean, median },
    similarity: result.similarity,
    kid: result.kid,
    cmmd: result.cmmd,
  };
}

function scoreOf({ label, scores }: CheckpointResult): CheckpointResult["scores"][number] {
  const [first] = scores;
  if (first === undefined) throw new SpinError("corrupt", `the results of ${label} have no scores`);
  return first;
}

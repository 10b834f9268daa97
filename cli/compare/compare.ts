import type { RpcChannel } from "../../core/service/client.js";
import {
  columnDecimals,
  formatInterval,
  formatNumber,
  formatPercent,
  formatProbability,
  formatShareInterval,
  formatSigned,
} from "../../evaluator/format.js";
import type { Estimate } from "../../proto/gen/spin/v1/common.js";
import { Comparison } from "../../proto/gen/spin/v1/evaluation.js";
import { EvaluatorServiceService } from "../../proto/gen/spin/v1/evaluator_service.js";
import { textTable } from "../text-table.js";

/** Which checkpoints to compare. */
export interface ComparePlan {
  /** Name or identifier of a finished evaluation. */
  readonly evaluation: string;
  /** That of B; default: the same. */
  readonly other?: string;
  /** A and B; none: every pair of the evaluation. */
  readonly labels?: readonly [a: string, b: string];
}

/** Compares checkpoints of finished evaluations. */
export async function compare(evaluator: RpcChannel, plan: ComparePlan): Promise<Comparison[]> {
  const pairs = plan.labels === undefined ? await pairsOf(evaluator, plan) : [plan.labels];
  const comparisons: Comparison[] = [];
  for (const [labelA, labelB] of pairs) {
    const request = { evaluationId: plan.evaluation, evaluationIdB: plan.other, labelA, labelB };
    comparisons.push((await evaluator.call(EvaluatorServiceService.compare, request)).comparison!);
  }
  return comparisons;
}

/** Each with each before it; over two evaluations, each of the one with its namesake of the other. */
async function pairsOf(evaluator: RpcChannel, { evaluation, other }: ComparePlan): Promise<[string, string][]> {
  const labelsOf = async (evaluationId: string) => {
    const answer = await evaluator.call(EvaluatorServiceService.getEvaluation, { evaluationId });
    return answer.evaluation!.spec!.checkpoints.map(({ label }) => label);
  };
  const own = await labelsOf(evaluation);
  if (other !== undefined) {
    const others = await labelsOf(other);
    return own.filter((label) => others.includes(label)).map((label) => [label, label]);
  }
  return own.flatMap((a, i) => own.slice(0, i).map((b): [string, string] => [a, b]));
}

/** Comparisons for people: a block each, a line a scorer. */
export function formatComparisons(comparisons: readonly Comparison[]): string {
  if (comparisons.length === 0) return "no two checkpoints to compare\n";
  return `${comparisons.map(formatComparison).join("\n\n")}\n`;
}

/** One as JSON, by the contract's field names. */
export function comparisonJson(comparison: Comparison): unknown {
  return Comparison.toJSON(comparison);
}

function formatComparison({ labelA, labelB, scores, averageWinRate, ...rest }: Comparison): string {
  const rows = scores.map((score) => {
    const difference = score.meanDifference!;
    const decimals = columnDecimals([difference.value, difference.low ?? 0, difference.high ?? 0]);
    const signed = (value: number) => formatSigned(value, decimals);
    return [
      score.scorer,
      ...share(score.winRate!),
      formatProbability(score.signTestP),
      String(score.numTies),
      signed(difference.value),
      formatInterval(difference, signed),
      String(score.numPairs),
    ];
  });
  if (averageWinRate !== undefined) rows.push(["average", ...share(averageWinRate), "", "", "", "", ""]);
  const heading = ["", "wins", "", "sign test", "ties", "mean difference", "", "pairs"];
  const distances = [distance("KID", rest.kidDifference), distance("CMMD", rest.cmmdDifference)].flat();
  return [`${labelA} over ${labelB}`, textTable([heading, ...rows]), ...distances].join("\n");
}

function share(rate: Estimate): [string, string] {
  return [formatPercent(rate.value), formatShareInterval(rate)];
}

function distance(name: string, estimate: Estimate | undefined): string[] {
  if (estimate === undefined) return [];
  const decimals = columnDecimals([estimate.value]);
  const interval = formatInterval(estimate, (bound) => formatNumber(bound, decimals));
  return [`${name} difference ${formatSigned(estimate.value, decimals)} ${interval}`];
}

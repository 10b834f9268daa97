import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { formatSeconds } from "../cli/progress.js";
import { SpinError } from "../core/errors.js";
import type { EvaluationRow, FloorRow } from "../evaluator/evaluation-row.js";
import { buildSummary, summaryJson } from "../evaluator/summary-json.js";
import { renderTable } from "../evaluator/table.js";
import type { CheckpointResult } from "../proto/gen/spin/v1/evaluation.js";
import type { Evaluation } from "../proto/gen/spin/v1/evaluator_service.js";
import type { Candidate } from "./evaluate-checkpoints.js";

/** Prints the table and writes summary.json. */
export async function printOutcome(
  evaluation: Evaluation,
  candidates: readonly Candidate[],
  seconds: number,
  folder: string,
): Promise<void> {
  const rows = candidates.map((candidate) => toRow(candidate, evaluation.results));
  const floor = evaluation.real === undefined ? undefined : toFloor(evaluation.real);
  await writeFile(
    join(folder, "summary.json"),
    summaryJson(buildSummary(rows, evaluation.computeFingerprint, seconds)),
  );
  process.stdout.write(`${renderTable(rows, floor, candidates[0]!.name)}\n`);
  process.stdout.write(`report: ${join(folder, "report.html")}   summary: ${join(folder, "summary.json")}   `);
  process.stdout.write(`took ${formatSeconds(seconds)}\n`);
}

function toRow(candidate: Candidate, results: readonly CheckpointResult[]): EvaluationRow {
  const result = results.find(({ label }) => label === candidate.name);
  if (result === undefined) throw new SpinError("internal", `the evaluation has no result for ${candidate.name}`);
  const even = { value: 0.5, low: 0.5, high: 0.5 };
  const winRate = result.scores[0]!.winRate;
  return { ...candidate, ...toFloor(result), winRate: winRate === undefined ? even : { ...even, ...winRate } };
}

function toFloor(result: CheckpointResult): FloorRow {
  const { mean, median } = result.scores[0]!;
  return { score: { mean, median }, similarity: result.similarity, kid: result.kid!, cmmd: result.cmmd! };
}

import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { formatSeconds } from "../cli/progress.js";
import { evaluationRows } from "../evaluator/rows.js";
import { buildSummary, summaryJson } from "../evaluator/summary-json.js";
import { renderTable } from "../evaluator/table.js";
import type { Evaluation } from "../proto/gen/spin/v1/evaluator_service.js";

/** Prints the table and writes summary.json. */
export async function printOutcome(evaluation: Evaluation, seconds: number, folder: string): Promise<void> {
  const { rows, floor } = evaluationRows(evaluation);
  const summary = buildSummary(rows, evaluation.computeFingerprint, seconds);
  await writeFile(join(folder, "summary.json"), summaryJson(summary));
  process.stdout.write(`${renderTable(rows, floor, rows[0]!.name)}\n`);
  process.stdout.write(`report: ${join(folder, "report.html")}   summary: ${join(folder, "summary.json")}   `);
  process.stdout.write(`took ${formatSeconds(seconds)}\n`);
}

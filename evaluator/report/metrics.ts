import type { EvaluationRow } from "../evaluation-row.js";
import { scorerColumns } from "./paper-tables.js";
import type { Report } from "./report.js";

/** A figure that checkpoints have, for the charts over several figures. */
export interface Metric {
  readonly name: string;
  /** Which end is better. */
  readonly better: "higher" | "lower";
  /** By checkpoint, in their order. */
  readonly values: readonly number[];
}

/** Every figure that all checkpoints have: mean scores and their average first, then what is measured on embeddings. */
export function metricsOf(report: Report): Metric[] {
  const { checkpoints } = report;
  const scores = scorerColumns(report).map(
    ({ name, results }): Metric => ({ name, better: "higher", values: results.map(({ mean }) => mean) }),
  );
  const measured = (name: string, better: Metric["better"], value: (row: EvaluationRow) => number | undefined) => {
    const values = checkpoints.flatMap((row) => value(row) ?? []);
    return values.length === checkpoints.length ? [{ name, better, values }] : [];
  };
  return [
    ...scores,
    ...measured("similarity", "higher", ({ similarity }) => similarity),
    ...measured("KID", "lower", ({ kid }) => kid?.value),
    ...measured("CMMD", "lower", ({ cmmd }) => cmmd?.value),
  ];
}

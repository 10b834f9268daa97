import { DataReport } from "../../proto/gen/spin/v1/data.js";
import type { Dataset, PreferenceDataset } from "../data/dataset.js";

/** The contract's form of what became of a set's rows. */
export function dataReportOf({ name, split, digest, report }: Dataset | PreferenceDataset): DataReport {
  return DataReport.fromPartial({ name, split, digest, ...report, examples: [...report.examples] });
}

import type { DataFolders } from "../core/data/data-folder.js";
import type { DataFile } from "../core/data/data-report.js";
import { SPLITS } from "../core/data/dataset.js";
import { openDataset, openPreferences } from "../core/data/open-dataset.js";
import { SpinError } from "../core/errors.js";
import { dataReportOf } from "../core/service/data-report.js";
import type { DatasetRef } from "../proto/gen/spin/v1/common.js";
import type { DataReport } from "../proto/gen/spin/v1/data.js";

/** A data set as the trainer knows it. */
export interface FoundDataset {
  /** With split and digest filled in. */
  readonly ref: DatasetRef;
  readonly report: DataReport;
  /** What it was read from. */
  readonly files: readonly DataFile[];
}

/**
 * Finds a data set, and what became of its rows. The trainer sees no picture: a generator has the same set under the same name.
 *
 * @param kind pictures, or for Diffusion-DPO pairs of them, which have a digest of their own
 * @throws SpinError "notFound" or "invalid" for an unknown set or split, "precondition" for a set of another digest
 */
export async function findDataset(
  ref: DatasetRef,
  kind: "pictures" | "pairs",
  folders: DataFolders,
): Promise<FoundDataset> {
  const split = SPLITS.find((known) => known === (ref.split || "train"));
  if (split === undefined) {
    const expected = `one of ${SPLITS.join(", ")}`;
    throw new SpinError("invalid", `dataset.split: expected ${expected}, got "${ref.split}"`, {
      field: "dataset.split",
    });
  }
  const open = kind === "pictures" ? openDataset : openPreferences;
  const set = await open(ref.name, split, { folders });
  const { digest, files } = set;
  if (ref.digest === "" || ref.digest === digest) {
    return { ref: { name: ref.name, digest, split }, report: dataReportOf(set), files };
  }
  throw new SpinError("precondition", `the data set "${ref.name}" has the digest ${digest}, expected ${ref.digest}`, {
    field: "dataset.digest",
    remedy: "name the digest of the set that is there, or put the right set there",
  });
}

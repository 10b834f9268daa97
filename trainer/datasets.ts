import { SPLITS } from "../core/data/dataset.js";
import { openDataset, openPreferences } from "../core/data/open-dataset.js";
import { SpinError } from "../core/errors.js";
import type { DatasetRef } from "../proto/gen/spin/v1/common.js";

/**
 * The reference with split and digest filled in. The trainer sees no picture: a generator has the same set under the same name.
 *
 * @param kind pictures, or for Diffusion-DPO pairs of them, which have a digest of their own
 * @throws SpinError "notFound" or "invalid" for an unknown set or split, "precondition" for a set of another digest
 */
export async function findDataset(ref: DatasetRef, kind: "pictures" | "pairs"): Promise<DatasetRef> {
  const split = SPLITS.find((known) => known === (ref.split || "train"));
  if (split === undefined) {
    const expected = `one of ${SPLITS.join(", ")}`;
    throw new SpinError("invalid", `dataset.split: expected ${expected}, got "${ref.split}"`, {
      field: "dataset.split",
    });
  }
  const open = kind === "pictures" ? openDataset : openPreferences;
  const { digest } = await open(ref.name, split);
  if (ref.digest === "" || ref.digest === digest) return { name: ref.name, digest, split };
  throw new SpinError("precondition", `the data set "${ref.name}" has the digest ${digest}, expected ${ref.digest}`, {
    field: "dataset.digest",
    remedy: "name the digest of the set that is there, or put the right set there",
  });
}

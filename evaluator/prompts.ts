import { type Dataset, SPLITS } from "../core/data/dataset.js";
import type { RgbImage } from "../core/data/image.js";
import { openDataset } from "../core/data/open-dataset.js";
import { SpinError } from "../core/errors.js";
import type { DatasetRef } from "../proto/gen/spin/v1/common.js";

/** Each half of the winners needs two pictures for a distance between them. */
const MIN_PROMPTS = 4;

/** The prompts of an evaluation, and the real picture of each where the set has any: the held-out winner. */
export interface PromptSet {
  /** With digest and split filled in. */
  readonly ref: DatasetRef;
  readonly prompts: readonly string[];
  /** The winner of the prompt at an index; undefined for a set without pictures. */
  readonly winner?: (index: number) => Promise<RgbImage>;
}

/**
 * Opens the prompts that a request names.
 *
 * @param maxPrompts most prompts to use, from the beginning; 0: all.
 * @throws SpinError `notFound` where there is no such set, `precondition` for another digest, `invalid` for too few
 * prompts.
 */
export async function openPrompts(ref: DatasetRef, maxPrompts: number): Promise<PromptSet> {
  const named = SPLITS.some((split) => ref.name.split("/").includes(split));
  const split = SPLITS.find((known) => known === (ref.split || (named ? undefined : "test")));
  if (split === undefined && ref.split !== "") {
    throw new SpinError("invalid", `there is no part "${ref.split}" of a data set`, {
      field: "spec.prompts.split",
      remedy: `name one of ${SPLITS.join(", ")}`,
    });
  }
  return promptSet(await openDataset(ref.name, split), ref, maxPrompts);
}

/** The first prompts of a data set. Throws as `openPrompts` does. */
export function promptSet(dataset: Dataset, ref: DatasetRef, maxPrompts: number): PromptSet {
  if (ref.digest !== "" && ref.digest !== dataset.digest) {
    throw new SpinError(
      "precondition",
      `the prompt set "${ref.name}" has the digest ${dataset.digest}, not ${ref.digest}`,
      {
        field: "spec.prompts.digest",
        remedy: "leave the digest out, or install the version of the data that is meant",
      },
    );
  }
  const size = maxPrompts === 0 ? dataset.size : Math.min(maxPrompts, dataset.size);
  if (size < MIN_PROMPTS) {
    const found = dataset.size === 0 ? "is empty" : `gives ${size} prompts`;
    throw new SpinError(
      "invalid",
      `the prompt set "${ref.name}" ${found}, an evaluation takes at least ${MIN_PROMPTS}`,
      {
        field: dataset.size < MIN_PROMPTS ? "spec.prompts" : "spec.max_prompts",
        remedy: "name a set with more prompts",
      },
    );
  }
  return {
    ref: { name: ref.name, digest: dataset.digest, split: dataset.split },
    prompts: Array.from({ length: size }, (_, i) => dataset.item(i).caption),
    winner: (index) => dataset.item(index).image(),
  };
}

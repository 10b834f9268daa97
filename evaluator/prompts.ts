import type { DataFolders } from "../core/data/data-folder.js";
import { type Dataset, SPLITS } from "../core/data/dataset.js";
import type { RgbImage } from "../core/data/image.js";
import { openDataset, openPromptList } from "../core/data/open-dataset.js";
import type { PromptList } from "../core/data/prompt-list.js";
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
export async function openPrompts(ref: DatasetRef, maxPrompts: number, folders?: DataFolders): Promise<PromptSet> {
  const named = SPLITS.some((split) => ref.name.split("/").includes(split));
  const split = SPLITS.find((known) => known === (ref.split || (named ? undefined : "test")));
  if (split === undefined && ref.split !== "") {
    throw new SpinError("invalid", `there is no part "${ref.split}" of a data set`, {
      field: "spec.prompts.split",
      remedy: `name one of ${SPLITS.join(", ")}`,
    });
  }
  const list = await openPromptList(ref.name, folders);
  return promptSet(list ?? (await openDataset(ref.name, split, { folders })), ref, maxPrompts);
}

/** The first prompts of a data set, or of a list, which is not divided. Throws as `openPrompts` does. */
export function promptSet(dataset: Dataset | PromptList, ref: DatasetRef, maxPrompts: number): PromptSet {
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
  const isList = "prompts" in dataset;
  const available = isList ? dataset.prompts.length : dataset.size;
  const size = maxPrompts === 0 ? available : Math.min(maxPrompts, available);
  if (size < MIN_PROMPTS) {
    const found = available === 0 ? "is empty" : `gives ${size} prompts`;
    throw new SpinError(
      "invalid",
      `the prompt set "${ref.name}" ${found}, an evaluation takes at least ${MIN_PROMPTS}`,
      {
        field: available < MIN_PROMPTS ? "spec.prompts" : "spec.max_prompts",
        remedy: "name a set with more prompts",
      },
    );
  }
  if (isList) {
    return {
      ref: { name: ref.name, digest: dataset.digest, split: ref.split },
      prompts: dataset.prompts.slice(0, size).map(({ prompt }) => prompt),
    };
  }
  return {
    ref: { name: ref.name, digest: dataset.digest, split: dataset.split },
    prompts: Array.from({ length: size }, (_, i) => dataset.item(i).caption),
    winner: (index) => dataset.item(index).image(),
  };
}

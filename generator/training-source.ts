import type { DataFolders } from "../core/data/data-folder.js";
import { type Dataset, type PreferenceDataset, SPLITS, type Split } from "../core/data/dataset.js";
import type { RgbImage } from "../core/data/image.js";
import { type OpenOptions, openDataset, openPreferences } from "../core/data/open-dataset.js";
import { SpinError } from "../core/errors.js";
import { dataReportOf } from "../core/service/data-report.js";
import type { DatasetRef } from "../proto/gen/spin/v1/common.js";
import type { DataReport } from "../proto/gen/spin/v1/data.js";

/** Captioned pictures, or captioned pairs of them, to train on. */
export interface TrainingSource {
  readonly digest: string;
  readonly size: number;
  readonly flippable: boolean;
  caption(index: number): string;
  /** The picture; of a pair the winner, then the loser. */
  images(index: number): readonly (() => Promise<RgbImage>)[];
  /** What tells the content of each of them. */
  keys(index: number): readonly string[];
}

/** Data sets by reference, each opened once. */
export class TrainingSources {
  readonly #options: OpenOptions;
  readonly #datasets = new Map<string, Promise<Dataset>>();
  readonly #pairs = new Map<string, Promise<PreferenceDataset>>();
  readonly #reports: DataReport[] = [];

  /** @param folders where data that are not built in lie; undefined: nowhere */
  constructor(folders?: DataFolders) {
    this.#options = { folders };
  }

  /** What became of the rows of all sets that were opened. */
  get reports(): readonly DataReport[] {
    return this.#reports;
  }

  /**
   * @param field name of the reference in the request, for errors
   * @param fallback the part that is meant where the reference names none
   * @throws SpinError `notFound` for an unknown set, `invalid` for an unknown part, `precondition` for another digest
   */
  async dataset(ref: DatasetRef, field: string, fallback: Split): Promise<Dataset> {
    const split = splitOf(ref, field, fallback);
    return checked(ref, field, await this.#once(this.#datasets, ref, split, openDataset));
  }

  /** Images of a training set. Throws as `dataset` does. */
  async images(ref: DatasetRef, field: string): Promise<TrainingSource> {
    const dataset = await this.dataset(ref, field, "train");
    const { digest, size, flippable } = dataset;
    return {
      digest,
      size,
      flippable,
      caption: (index) => dataset.item(index).caption,
      images: (index) => [() => dataset.item(index).image()],
      keys: (index) => [dataset.item(index).key],
    };
  }

  /** Pairs of a training set. Throws as `dataset` does. */
  async pairs(ref: DatasetRef, field: string): Promise<TrainingSource> {
    const split = splitOf(ref, field, "train");
    const dataset = checked(ref, field, await this.#once(this.#pairs, ref, split, openPreferences));
    const { digest, size, flippable } = dataset;
    return {
      digest,
      size,
      flippable,
      caption: (index) => dataset.pair(index).caption,
      images: (index) => [() => dataset.pair(index).winner(), () => dataset.pair(index).loser()],
      keys: (index) => dataset.pair(index).keys,
    };
  }

  /** Opens what the map does not hold. A failure is not remembered. */
  #once<T extends Dataset | PreferenceDataset>(
    opened: Map<string, Promise<T>>,
    { name }: DatasetRef,
    split: Split | undefined,
    open: (name: string, split?: Split, options?: OpenOptions) => Promise<T>,
  ): Promise<T> {
    const key = `${name} ${split ?? ""}`;
    let set = opened.get(key);
    if (set === undefined) {
      set = open(name, split, this.#options);
      opened.set(key, set);
      set.then(
        (found) => this.#reports.push(dataReportOf(found)),
        () => opened.delete(key),
      );
    }
    return set;
  }
}

/** The part that a reference means: its own, that of its name, or the fallback. */
function splitOf({ name, split }: DatasetRef, field: string, fallback: Split): Split | undefined {
  const inName = SPLITS.some((known) => name.split("/").includes(known));
  if (split === "") return inName ? undefined : fallback;
  const found = SPLITS.find((known) => known === split);
  if (found !== undefined) return found;
  throw new SpinError("invalid", `there is no part "${split}" of a data set`, {
    field: `${field}.split`,
    remedy: `name one of ${SPLITS.join(", ")}`,
  });
}

function checked<T extends { readonly digest: string }>(ref: DatasetRef, field: string, dataset: T): T {
  if (ref.digest !== "" && ref.digest !== dataset.digest) {
    throw new SpinError(
      "precondition",
      `the data set "${ref.name}" has the digest ${dataset.digest}, not ${ref.digest}`,
      {
        field: `${field}.digest`,
        remedy: "install the version of the data that is meant, or start anew with this one",
      },
    );
  }
  return dataset;
}

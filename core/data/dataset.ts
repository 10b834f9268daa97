import type { DataFile, DataReport } from "./data-report.js";
import type { RgbImage } from "./image.js";

/** The three parts that every data set is split into. */
export type Split = "train" | "validation" | "test";

export const SPLITS: readonly Split[] = ["train", "validation", "test"];

/** One captioned picture. The picture is made or read when asked for, not before. */
export interface DatasetItem {
  readonly caption: string;
  /** Tells the picture's content: equal keys, equal pictures, whatever data set they are in. */
  readonly key: string;
  /**
   * The picture in its native size; deterministic.
   * @throws SpinError `corrupt` naming file and row
   */
  image(): Promise<RgbImage>;
}

/** A caption with a preferred and a rejected picture, for scorers and Diffusion-DPO. Throws as an item does. */
export interface PreferencePair {
  readonly caption: string;
  /** Of the winner and of the loser, as an item's. */
  readonly keys: readonly [winner: string, loser: string];
  winner(): Promise<RgbImage>;
  loser(): Promise<RgbImage>;
}

/** What pictures and pairs have in common. */
interface DataPart {
  /** The name it was opened by. */
  readonly name: string;
  /** `sha256:` and 64 hex digits over everything that decides captions, pictures and order. */
  readonly digest: string;
  /** Number of items. */
  readonly size: number;
  readonly split: Split;
  /**
   * False where captions name what a mirror image would turn round (left and right, clock hands, digits):
   * a horizontal flip would then teach wrong captions.
   */
  readonly flippable: boolean;
  /** What became of the source's rows. */
  readonly report: DataReport;
  /** What it was read from; empty for built-in data. */
  readonly files: readonly DataFile[];
}

/** Captioned pictures in a fixed order, whatever they come from: built-in emoji, image folders, Pick-a-Pic. */
export interface Dataset extends DataPart {
  /** The item at `index`, 0 ≤ index < size; throws SpinError `invalid` outside. */
  item(index: number): DatasetItem;
}

/** Preference pairs in a fixed order. */
export interface PreferenceDataset extends DataPart {
  /** The pair at `index`, 0 ≤ index < size; throws SpinError `invalid` outside. */
  pair(index: number): PreferencePair;
}

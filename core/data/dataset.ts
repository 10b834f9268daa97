import type { RgbImage } from "./image.js";

/** The three parts that every data set is split into. */
export type Split = "train" | "validation" | "test";

export const SPLITS: readonly Split[] = ["train", "validation", "test"];

/** One captioned picture. The picture is made or read when asked for, not before. */
export interface DatasetItem {
  readonly caption: string;
  /** The picture in its native size; deterministic. */
  image(): Promise<RgbImage>;
}

/** Captioned pictures in a fixed order, whatever they come from: built-in emoji, image folders, Pick-a-Pic. */
export interface Dataset {
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
  /** The item at `index`, 0 ≤ index < size; throws SpinError `invalid` outside. */
  item(index: number): DatasetItem;
}

/** A caption with a preferred and a rejected picture, for scorers and Diffusion-DPO. */
export interface PreferencePair {
  readonly caption: string;
  winner(): Promise<RgbImage>;
  loser(): Promise<RgbImage>;
}

/** Preference pairs in a fixed order. */
export interface PreferenceDataset {
  readonly name: string;
  readonly digest: string;
  readonly size: number;
  readonly split: Split;
  readonly flippable: boolean;
  /** The pair at `index`, 0 ≤ index < size; throws SpinError `invalid` outside. */
  pair(index: number): PreferencePair;
}

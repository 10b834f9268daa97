import { createHash } from "node:crypto";
import { setImmediate } from "node:timers/promises";
import { SpinError } from "../../errors.js";
import type { Dataset, PreferenceDataset, Split } from "../dataset.js";
import type { Concept, EmojiStyle } from "./captions.js";
import { emojiSvg, renderEmoji } from "./render.js";
import { conceptsOf } from "./split.js";

/**
 * `winners`: Fluent flat, one picture a caption. `other`: Noto. `mixed`: both, winners at the even indices, the same
 * caption's other at the odd one after.
 */
export type EmojiVariant = "winners" | "other" | "mixed";

export const EMOJI_VARIANTS: readonly EmojiVariant[] = ["winners", "other", "mixed"];

const STYLES: Readonly<Record<EmojiVariant, readonly EmojiStyle[]>> = {
  winners: ["fluent"],
  other: ["noto"],
  mixed: ["fluent", "noto"],
};

interface Picture {
  readonly caption: string;
  readonly style: EmojiStyle;
  readonly icon: string;
}

/** Captions with the pictures of one style or of both. */
export async function openEmojiDataset(split: Split, variant: EmojiVariant): Promise<Dataset> {
  const pictures = picturesOf(conceptsOf(split), STYLES[variant]);
  const name = `emoji/${split}/${variant}`;
  return {
    name,
    digest: await digestOf(pictures),
    size: pictures.length,
    split,
    flippable: false,
    item(index) {
      const { caption, style, icon } = at(pictures, index, name);
      return { caption, image: () => renderEmoji(style, icon) };
    },
  };
}

/** Each caption with its Fluent picture preferred to its Noto picture. */
export async function openEmojiPreferences(split: Split): Promise<PreferenceDataset> {
  const concepts = conceptsOf(split);
  const name = `emoji/${split}`;
  return {
    name,
    digest: await digestOf(picturesOf(concepts, STYLES.mixed)),
    size: concepts.length,
    split,
    flippable: false,
    pair(index) {
      const { caption, icons } = at(concepts, index, name);
      return {
        caption,
        winner: () => renderEmoji("fluent", icons.fluent),
        loser: () => renderEmoji("noto", icons.noto),
      };
    },
  };
}

function picturesOf(concepts: readonly Concept[], styles: readonly EmojiStyle[]): readonly Picture[] {
  return concepts.flatMap(({ caption, icons }) => styles.map((style) => ({ caption, style, icon: icons[style] })));
}

function at<T>(items: readonly T[], index: number, name: string): T {
  const item = items[index];
  if (item === undefined) {
    throw new SpinError("invalid", `${name} has the indices 0 to ${items.length - 1}, not ${index}`, {
      field: "index",
    });
  }
  return item;
}

/**
 * SHA-256 over captions and SVG documents in order. Not over pixels: those may differ in the last bit between versions of
 * librsvg and between instruction sets, and what the SVG says is what the data are. (Bit-equality of runs is the compute
 * fingerprint's business.)
 */
async function digestOf(pictures: readonly Picture[]): Promise<string> {
  const hash = createHash("sha256");
  for (const [index, { caption, style, icon }] of pictures.entries()) {
    hash.update(JSON.stringify([caption, await emojiSvg(style, icon)]));
    if (index % 256 === 255) await setImmediate();
  }
  return `sha256:${hash.digest("hex")}`;
}

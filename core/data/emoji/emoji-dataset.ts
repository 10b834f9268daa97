import { createHash } from "node:crypto";
import { setImmediate } from "node:timers/promises";
import { at } from "../at.js";
import { cleanReport, type DataReport } from "../data-report.js";
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
  const digest = await digestOf(pictures);
  return {
    name,
    digest,
    size: pictures.length,
    split,
    flippable: false,
    report: reportOf(pictures),
    files: [],
    item(index) {
      const { caption, style, icon } = at(pictures, index, name);
      return { caption, key: `${digest} ${index}`, image: () => renderEmoji(style, icon) };
    },
  };
}

/** Each caption with its Fluent picture preferred to its Noto picture. */
export async function openEmojiPreferences(split: Split): Promise<PreferenceDataset> {
  const concepts = conceptsOf(split);
  const name = `emoji/${split}`;
  const digest = await digestOf(picturesOf(concepts, STYLES.mixed));
  return {
    name,
    digest,
    size: concepts.length,
    split,
    flippable: false,
    report: reportOf(concepts),
    files: [],
    pair(index) {
      const { caption, icons } = at(concepts, index, name);
      return {
        caption,
        keys: [`${digest} ${2 * index}`, `${digest} ${2 * index + 1}`],
        winner: () => renderEmoji("fluent", icons.fluent),
        loser: () => renderEmoji("noto", icons.noto),
      };
    },
  };
}

function picturesOf(concepts: readonly Concept[], styles: readonly EmojiStyle[]): readonly Picture[] {
  return concepts.flatMap(({ caption, icons }) => styles.map((style) => ({ caption, style, icon: icons[style] })));
}

function reportOf(items: readonly { readonly caption: string }[]): DataReport {
  return cleanReport(
    "built-in",
    items.map(({ caption }) => caption),
  );
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

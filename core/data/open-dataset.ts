import { SpinError } from "../errors.js";
import { type Dataset, type PreferenceDataset, SPLITS, type Split } from "./dataset.js";
import { EMOJI_VARIANTS, type EmojiVariant, openEmojiDataset, openEmojiPreferences } from "./emoji/emoji-dataset.js";

/**
 * Opens a built-in data set: `emoji/<split>` or `emoji/<split>/<variant>`, variants winners (default), other, mixed. The
 * split may be given apart from the name, as a request does: ("emoji/mixed", "train").
 * @throws SpinError `notFound` where there is no such set, `invalid` where the split is missing, or given twice and
 * differently.
 */
export async function openDataset(name: string, split?: Split): Promise<Dataset> {
  const { split: part, variant } = parseEmojiName(name, split);
  return openEmojiDataset(part, variant ?? "winners");
}

/** Opens built-in preference pairs: `emoji/<split>`, or ("emoji", split). Throws as `openDataset` does. */
export async function openPreferences(name: string, split?: Split): Promise<PreferenceDataset> {
  const { split: part, variant } = parseEmojiName(name, split);
  if (variant !== undefined) throw unknownName(name, "pairs hold both styles: leave out the variant");
  return openEmojiPreferences(part);
}

function parseEmojiName(name: string, split?: Split): { split: Split; variant: EmojiVariant | undefined } {
  const [set, ...rest] = name.split("/");
  const named = SPLITS.find((known) => known === rest[0]);
  const [variant, ...excess] = named === undefined ? rest : rest.slice(1);
  const knownVariant = EMOJI_VARIANTS.find((known) => known === variant);
  if (set !== "emoji" || excess.length > 0 || (variant !== undefined && knownVariant === undefined)) {
    throw unknownName(name, `built in are emoji/{${SPLITS.join(",")}}/{${EMOJI_VARIANTS.join(",")}}`);
  }
  if (named !== undefined && split !== undefined && named !== split) {
    throw new SpinError("invalid", `the data set "${name}" is not its ${split} part`, { field: "split" });
  }
  const part = split ?? named;
  if (part === undefined) {
    throw new SpinError("invalid", `the data set "${name}" has three parts`, {
      field: "split",
      remedy: `name one of ${SPLITS.join(", ")}`,
    });
  }
  return { split: part, variant: knownVariant };
}

function unknownName(name: string, remedy: string): SpinError {
  return new SpinError("notFound", `there is no data set "${name}"`, { field: "name", remedy });
}

import { SpinError } from "../errors.js";
import { DataFolder, type DataFolders } from "./data-folder.js";
import { describeReport } from "./data-report.js";
import { type Dataset, type PreferenceDataset, SPLITS, type Split } from "./dataset.js";
import { EMOJI_VARIANTS, type EmojiVariant, openEmojiDataset, openEmojiPreferences } from "./emoji/emoji-dataset.js";
import type { IndexProgress } from "./pick-a-pic.js";
import type { PromptList } from "./prompt-list.js";

/** Where data that are not built in are found, and who is told how far opening them has come. */
export interface OpenOptions {
  /** Unset: built-in data alone. */
  readonly folders?: DataFolders;
  readonly onProgress?: IndexProgress;
}

/**
 * Opens captioned pictures. Built in is `emoji/<split>` or `emoji/<split>/<variant>`, variants winners (default), other, mixed; all other
 * names are those of folders under `folders.dataDir`. The split may be given apart from the name, as a request does: ("emoji/mixed",
 * "train").
 * @throws SpinError `notFound` where there is no such set, `invalid` where the split is missing, or given twice and
 * differently, or no row of the set can be used.
 */
export async function openDataset(name: string, split?: Split, options: OpenOptions = {}): Promise<Dataset> {
  return withRows(await inspectDataset(name, split, options));
}

/** As `openDataset`, for a look at its report: a set without a single row to use is no error. */
export async function inspectDataset(name: string, split?: Split, options: OpenOptions = {}): Promise<Dataset> {
  if (!isBuiltIn(name)) {
    return folderOf(name, options).dataset(name, requireSplit(name, split), options.onProgress);
  }
  const { split: part, variant } = parseEmojiName(name, split);
  return openEmojiDataset(part, variant ?? "winners");
}

/** Opens preference pairs: `emoji/<split>`, ("emoji", split), or a folder of Pick-a-Pic. Throws as `openDataset` does. */
export async function openPreferences(
  name: string,
  split?: Split,
  options: OpenOptions = {},
): Promise<PreferenceDataset> {
  if (!isBuiltIn(name)) {
    return withRows(await folderOf(name, options).preferences(name, requireSplit(name, split), options.onProgress));
  }
  const { split: part, variant } = parseEmojiName(name, split);
  if (variant !== undefined) throw unknownName(name, "pairs hold both styles: leave out the variant");
  return openEmojiPreferences(part);
}

/**
 * Opens a list of prompts under `folders.dataDir`. Undefined for names of pictures, whose captions are the prompts then.
 * @throws SpinError as `readPromptList`, `invalid` where there are none
 */
export async function openPromptList(name: string, folders?: DataFolders): Promise<PromptList | undefined> {
  if (isBuiltIn(name) || folders === undefined) return undefined;
  const list = await new DataFolder(folders).prompts(name);
  if (list === undefined || list.prompts.length > 0) return list;
  throw new SpinError("invalid", `the prompt list "${name}" is empty: ${describeReport(list.report)}`, {
    field: "name",
  });
}

function isBuiltIn(name: string): boolean {
  return name === "" || name.split("/")[0] === "emoji";
}

function folderOf(name: string, { folders }: OpenOptions): DataFolder {
  if (folders === undefined) throw unknownName(name, builtIn());
  return new DataFolder(folders);
}

function requireSplit(name: string, split: Split | undefined): Split {
  if (split !== undefined) return split;
  throw new SpinError("invalid", `the data set "${name}" is asked for without a part`, {
    field: "split",
    remedy: `name one of ${SPLITS.join(", ")}`,
  });
}

function withRows<T extends Dataset | PreferenceDataset>(set: T): T {
  if (set.size > 0) return set;
  const message = `the ${set.split} part of the data set "${set.name}" is empty: ${describeReport(set.report)}`;
  throw new SpinError("invalid", message, { field: "name", remedy: "name a part with pictures that can be used" });
}

function parseEmojiName(name: string, split?: Split): { split: Split; variant: EmojiVariant | undefined } {
  const [, ...rest] = name.split("/");
  const named = SPLITS.find((known) => known === rest[0]);
  const [variant, ...excess] = named === undefined ? rest : rest.slice(1);
  const knownVariant = EMOJI_VARIANTS.find((known) => known === variant);
  if (name === "" || excess.length > 0 || (variant !== undefined && knownVariant === undefined)) {
    throw unknownName(name, builtIn());
  }
  if (named !== undefined && split !== undefined && named !== split) {
    throw new SpinError("invalid", `the data set "${name}" is not its ${split} part`, { field: "split" });
  }
  return { split: split ?? named ?? requireSplit(name, undefined), variant: knownVariant };
}

function builtIn(): string {
  return `built in are emoji/{${SPLITS.join(",")}}/{${EMOJI_VARIANTS.join(",")}}`;
}

function unknownName(name: string, remedy: string): SpinError {
  return new SpinError("notFound", `there is no data set "${name}"`, { field: "name", remedy });
}

import { basename, dirname, resolve } from "node:path";
import type { DataFile, DataReport } from "../../core/data/data-report.js";
import { type Dataset, SPLITS, type Split } from "../../core/data/dataset.js";
import { inspectDataset, openPreferences, openPromptList } from "../../core/data/open-dataset.js";
import { SpinError } from "../../core/errors.js";
import { Progress } from "../progress.js";

export interface InspectSettings {
  /** Unset: all parts that there are. */
  readonly split?: Split;
  readonly indexDir: string;
  /** Captions to show of each part. */
  readonly examples: number;
}

/** A part of a data set, as it is printed under --json. */
export interface InspectedPart {
  /** Undefined for a list of prompts, which is not divided. */
  readonly split?: Split;
  readonly digest: string;
  readonly report: DataReport;
  /** Pairs for Diffusion-DPO, where the set holds any. */
  readonly pairs?: { readonly digest: string; readonly size: number; readonly brokenLosers: number };
  readonly files: readonly DataFile[];
  /** The first captions, with the sizes of their pictures in pixels. */
  readonly examples: readonly { readonly caption: string; readonly width?: number; readonly height?: number }[];
}

export interface Inspection {
  readonly name: string;
  readonly parts: readonly InspectedPart[];
}

/** Looks through a data set with progress on standard error. @throws SpinError `notFound` where there is no part at all */
export async function inspect(path: string, { split, indexDir, examples }: InspectSettings): Promise<Inspection> {
  const isBuiltIn = path.split("/")[0] === "emoji";
  const [dataDir, name] = isBuiltIn ? ["data", path] : [dirname(resolve(path)), basename(resolve(path))];
  const folders = { dataDir, indexDir };
  if (split !== undefined && !SPLITS.includes(split)) {
    throw new SpinError("invalid", `--split: expected one of ${SPLITS.join(", ")}, got ${split}`, { field: "split" });
  }
  const list = await openPromptList(name, folders);
  if (list !== undefined) {
    const shown = list.prompts.slice(0, examples).map(({ prompt }) => ({ caption: prompt }));
    return { name: path, parts: [{ digest: list.digest, report: list.report, files: [], examples: shown }] };
  }
  const parts: InspectedPart[] = [];
  let missing: unknown;
  for (const part of split === undefined ? SPLITS : [split]) {
    const progress = new Progress(`looking through ${part}`);
    try {
      const onProgress = (done: number, total: number) => progress.update(done, total);
      const set = await inspectDataset(name, part, { folders, onProgress });
      parts.push(await describe(set, name, part, folders, examples));
    } catch (error) {
      if (!(error instanceof SpinError) || error.kind !== "notFound") throw error;
      missing ??= error;
    } finally {
      progress.end();
    }
  }
  if (parts.length === 0) throw missing;
  return { name: path, parts };
}

async function describe(
  set: Dataset,
  name: string,
  split: Split,
  folders: { dataDir: string; indexDir: string },
  examples: number,
): Promise<InspectedPart> {
  const shown: InspectedPart["examples"][number][] = [];
  for (let i = 0; i < Math.min(examples, set.size); i++) {
    const { caption, image } = set.item(i);
    const { width, height } = await image();
    shown.push({ caption, width, height });
  }
  const { digest, report, files } = set;
  if (report.kind !== "pick-a-pic" || set.size === 0) return { split, digest, report, files, examples: shown };
  const pairs = await openPreferences(name, split, { folders });
  const brokenLosers = set.size - pairs.size;
  return {
    split,
    digest,
    report,
    pairs: { digest: pairs.digest, size: pairs.size, brokenLosers },
    files,
    examples: shown,
  };
}

/** The same for people. */
export function formatInspection({ name, parts }: Inspection): string {
  return parts.map((part) => formatPart(name, part)).join("\n");
}

function formatPart(name: string, { split, digest, report, pairs, files, examples }: InspectedPart): string {
  const rows: [string, string | number][] = [
    ["kind", report.kind],
    ["digest", digest],
    ["files", files.length],
    ["rows read", report.rowsRead],
    ["used", report.rowsUsed],
    ["ties", report.ties],
    ["unlabelled", report.unlabelled],
    ["broken", report.broken],
    ["repeated prompts", report.repeatedPrompts],
  ];
  if (pairs !== undefined) rows.push(["pairs", `${pairs.size} (${pairs.brokenLosers} losers cannot be decoded)`]);
  const table = rows.map(([label, value]) => `  ${label.padEnd(18)}${value}`);
  const broken = report.examples.map(({ file, row, problem }) => `  broken: ${file} row ${row}: ${problem}`);
  const shown = examples.map(({ caption, width, height }) => {
    return `  e.g. ${JSON.stringify(caption)}${width === undefined ? "" : ` ${width}×${height}`}`;
  });
  const title = split === undefined ? name : `${name}, ${split}`;
  return `${[title, ...table, ...broken, ...shown].join("\n")}\n`;
}

import { stat } from "node:fs/promises";
import { z } from "zod";
import { hashFile } from "../checkpoint/manifest.js";
import { SpinError } from "../errors.js";
import type { RowProblem } from "./data-report.js";
import { pictureProblem } from "./image.js";
import { ParquetFile } from "./parquet-file.js";
import type { ColumnPages } from "./parquet-reader.js";

/** Which picture of a pair is better, or why neither counts. */
export type RowOutcome = 0 | 1 | "tie" | "unlabelled" | "broken";

/** Version of the rules below: an index of another one is made anew. */
export const SHARD_INDEX_VERSION = 1;

/** What there is to know of a shard without its pictures. */
export interface ShardIndex {
  /** Bytes of the file. */
  readonly size: number;
  /** 64 hexadecimal digits over the file. */
  readonly sha256: string;
  /** Of each row. */
  readonly captions: readonly string[];
  /** Of each row. */
  readonly outcomes: readonly RowOutcome[];
  /** Rows with a winner whose loser cannot be decoded: no pairs, but pictures. */
  readonly brokenLosers: readonly number[];
  /** Why rows are broken, or losers. */
  readonly problems: readonly Omit<RowProblem, "file">[];
  /** Where the pictures lie. */
  readonly pages: Readonly<Record<"jpg_0" | "jpg_1", ColumnPages>>;
}

const pages = z.array(z.array(z.tuple([z.number(), z.number(), z.number()])));

/** A ShardIndex as it is kept on disk. */
export const shardIndex: z.ZodType<ShardIndex> = z.object({
  size: z.number(),
  sha256: z.string(),
  captions: z.array(z.string()),
  outcomes: z.array(z.literal([0, 1, "tie", "unlabelled", "broken"])),
  brokenLosers: z.array(z.number()),
  problems: z.array(z.object({ row: z.number(), problem: z.string() })),
  pages: z.object({ jpg_0: pages, jpg_1: pages }),
});

const REQUIRED = ["caption", "jpg_0", "jpg_1", "label_0"];
const PICTURES = ["jpg_0", "jpg_1"] as const;

/** Rows that are looked at together, where pages are small. */
const MOST_ROWS = 64;

/**
 * Reads a shard of Pick-a-Pic (v1 and v2 have the same columns) from end to end, and looks at every picture of its labelled rows: what can be
 * wrong with a row is known before anything is trained on it.
 *
 * A row's label_0 is 1 where jpg_0 is better, 0 where jpg_1 is, 0.5 for a tie; has_label, where the column is there, says whether anybody
 * has judged.
 *
 * @throws SpinError `notFound` or `corrupt` for a file that is not readable parquet, `invalid` for one that lacks a column, or that reading
 * does not come to an end with
 */
export async function indexShard(
  folder: string,
  path: string,
  openFile: (path: string) => Promise<ParquetFile> = (file) => ParquetFile.open(file),
): Promise<ShardIndex> {
  const file = await openFile(`${folder}/${path}`);
  file.requireColumns(REQUIRED);
  const optional = async (column: string) => (file.columns.includes(column) ? file.read(column) : undefined);
  const captions = await file.read("caption");
  const label0 = await file.read("label_0");
  const [label1, hasLabel] = [await optional("label_1"), await optional("has_label")];

  const problems: Omit<RowProblem, "file">[] = [];
  const brokenLosers: number[] = [];
  const outcomes = captions.map((caption, row): RowOutcome => {
    if (hasLabel?.[row] === false || label0[row] === null || label0[row] === undefined) return "unlabelled";
    const outcome = outcomeOf(label0[row], label1?.[row]);
    const problem = captionProblem(caption) ?? outcome;
    if (typeof problem !== "string" || problem === "tie") return outcome as RowOutcome;
    problems.push({ row, problem });
    return "broken";
  });

  const pages = { jpg_0: await file.pages("jpg_0"), jpg_1: await file.pages("jpg_1") };
  for (const [side, column] of PICTURES.entries()) {
    for (const [start, end] of portions(file.groups, pages[column])) {
      const asked = outcomes.slice(start, end).some((outcome) => outcome === 0 || outcome === 1);
      if (!asked) continue;
      const pictures = await file.read(column, [start, end], pages[column]).catch((error: unknown) => {
        if (error instanceof SpinError && error.kind === "corrupt") return error;
        throw error;
      });
      const found = await Promise.all(
        outcomes.slice(start, end).map(async (outcome, i) => {
          if (outcome !== 0 && outcome !== 1) return undefined;
          return pictures instanceof SpinError ? pictures.message : problemOf(pictures[i]);
        }),
      );
      for (const [i, problem] of found.entries()) {
        if (problem === undefined) continue;
        const row = start + i;
        const isWinner = outcomes[row] === side;
        problems.push({ row, problem: `${column}, the ${isWinner ? "winner" : "loser"}: ${problem}` });
        if (isWinner) outcomes[row] = "broken";
        else brokenLosers.push(row);
      }
    }
  }
  const { size, sha256 } = await hashFile(folder, path);
  return {
    size,
    sha256,
    captions: captions.map(textOf),
    outcomes,
    brokenLosers: brokenLosers.filter((row) => outcomes[row] !== "broken").sort((a, b) => a - b),
    problems: problems.sort((a, b) => a.row - b.row),
    pages,
  };
}

/** When and how large a shard is: one that is touched is indexed anew. */
export async function shardStamp(path: string): Promise<{ size: number; mtimeMs: number }> {
  const { size, mtimeMs } = await stat(path);
  return { size, mtimeMs };
}

function captionProblem(caption: unknown): string | undefined {
  if (typeof caption === "string" || caption instanceof Uint8Array) return undefined;
  return caption === null || caption === undefined
    ? "no caption"
    : `a caption of the type ${typeof caption}, expected a text`;
}

/** The winner, `tie`, or what is wrong with the labels. */
function outcomeOf(label0: unknown, label1: unknown): 0 | 1 | "tie" | string {
  const [first, second] = [
    Number(label0),
    label1 === undefined || label1 === null ? 1 - Number(label0) : Number(label1),
  ];
  if (first + second !== 1) return `label_0 is ${String(label0)} and label_1 is ${String(label1)}, expected a sum of 1`;
  if (first === 0.5) return "tie";
  if (first === 1) return 0;
  return first === 0 ? 1 : `label_0 is ${String(label0)}, expected 0, 0.5 or 1`;
}

async function problemOf(picture: unknown): Promise<string | undefined> {
  if (!(picture instanceof Uint8Array) || picture.length === 0) return "no picture";
  return pictureProblem(picture);
}

/** Captions are strings, or bytes where the file does not say that they are. */
function textOf(caption: unknown): string {
  return caption instanceof Uint8Array ? new TextDecoder().decode(caption) : String(caption ?? "");
}

/** Ranges of rows to read at a time: pages, those of many rows in parts. */
function portions(groups: readonly number[], pages: ColumnPages): [start: number, end: number][] {
  const found: [number, number][] = [];
  let groupStart = 0;
  for (const [g, rows] of groups.entries()) {
    for (const [i, [, , first]] of pages[g]!.entries()) {
      const end = pages[g]![i + 1]?.[2] ?? rows;
      for (let row = first; row < end; row += MOST_ROWS) {
        found.push([groupStart + row, groupStart + Math.min(end, row + MOST_ROWS)]);
      }
    }
    groupStart += rows;
  }
  return found;
}

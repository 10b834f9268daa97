import { join } from "node:path";
import { digestOf } from "../canonical-json.js";
import { at } from "./at.js";
import { type DataReport, MAX_EXAMPLES } from "./data-report.js";
import type { Dataset, PreferenceDataset, Split } from "./dataset.js";
import { decodeImage } from "./image.js";
import type { IndexFolder } from "./index-folder.js";
import { ParquetFile } from "./parquet-file.js";
import { indexShard, SHARD_INDEX_VERSION, type ShardIndex, shardIndex, shardStamp } from "./pick-a-pic-shard.js";

/** Told how many shards of all are indexed. */
export type IndexProgress = (done: number, total: number) => void;

/** Where a part's shards are, in order. */
export interface PickAPicPart {
  readonly name: string;
  readonly split: Split;
  readonly folder: string;
  /** Relative to the folder. */
  readonly shards: readonly string[];
  /** Where indices are kept. */
  readonly indices: IndexFolder;
  readonly onProgress?: IndexProgress;
}

/** A shard with what is known of it. Its file is opened when its first picture is asked for. */
interface Shard {
  readonly path: string;
  readonly index: ShardIndex;
  file: Promise<ParquetFile> | undefined;
}

/** A row with a winner. */
interface Place {
  readonly shard: Shard;
  readonly row: number;
  readonly winner: 0 | 1;
}

/**
 * The winners of Pick-a-Pic, a caption and a picture each, in the order of the files. Broken rows, ties and unlabelled rows are left out, and
 * counted in the report. @throws SpinError as `indexShard`
 */
export async function openPickAPic(part: PickAPicPart): Promise<Dataset> {
  const shards = await openShards(part);
  const places = placesOf(shards, () => true);
  return {
    ...describe(part, shards, places, "winners"),
    item(index) {
      const { shard, row, winner } = at(places, index, part.name);
      return {
        caption: shard.index.captions[row]!,
        key: keyOf(shard, row, winner),
        image: () => read(part.folder, shard, row, winner),
      };
    },
  };
}

/** Pairs of Pick-a-Pic: the same rows but for those whose loser is broken. Throws as `openPickAPic` does. */
export async function openPickAPicPairs(part: PickAPicPart): Promise<PreferenceDataset> {
  const shards = await openShards(part);
  const broken = new Map(shards.map((shard) => [shard, new Set(shard.index.brokenLosers)]));
  const places = placesOf(shards, (shard, row) => !broken.get(shard)!.has(row));
  return {
    ...describe(part, shards, places, "pairs"),
    pair(index) {
      const { shard, row, winner } = at(places, index, part.name);
      const loser = winner === 0 ? 1 : 0;
      return {
        caption: shard.index.captions[row]!,
        keys: [keyOf(shard, row, winner), keyOf(shard, row, loser)],
        winner: () => read(part.folder, shard, row, winner),
        loser: () => read(part.folder, shard, row, loser),
      };
    },
  };
}

async function openShards({ folder, shards, indices, onProgress }: PickAPicPart): Promise<Shard[]> {
  const opened: Shard[] = [];
  for (const [done, path] of shards.entries()) {
    onProgress?.(done, shards.length);
    const file = join(folder, path);
    const identity = { kind: "pick-a-pic", version: SHARD_INDEX_VERSION, file, ...(await shardStamp(file)) };
    const index = await indices.keep(identity, shardIndex, () => indexShard(folder, path));
    opened.push({ path, index, file: undefined });
  }
  return opened;
}

function placesOf(shards: readonly Shard[], isWhole: (shard: Shard, row: number) => boolean): Place[] {
  return shards.flatMap((shard) =>
    shard.index.outcomes.flatMap((winner, row) =>
      (winner === 0 || winner === 1) && isWhole(shard, row) ? [{ shard, row, winner }] : [],
    ),
  );
}

function describe(
  { name, split }: PickAPicPart,
  shards: readonly Shard[],
  places: readonly Place[],
  use: "winners" | "pairs",
) {
  const files = shards.map(({ path, index: { size, sha256 } }) => ({ path, size, sha256 }));
  const outcomes = shards.flatMap(({ index }) => index.outcomes);
  const count = (wanted: string) => outcomes.filter((outcome) => outcome === wanted).length;
  const [ties, unlabelled] = [count("tie"), count("unlabelled")];
  const problems = shards.flatMap(({ path, index }) =>
    index.problems
      .filter(({ row }) => use === "pairs" || index.outcomes[row] === "broken")
      .map((problem) => ({ file: path, ...problem })),
  );
  const captions = new Set(places.map(({ shard, row }) => shard.index.captions[row]));
  const report: DataReport = {
    kind: "pick-a-pic",
    rowsRead: outcomes.length,
    rowsUsed: places.length,
    ties,
    unlabelled,
    broken: outcomes.length - places.length - ties - unlabelled,
    repeatedPrompts: places.length - captions.size,
    examples: problems.slice(0, MAX_EXAMPLES),
  };
  // Which rows are used is part of it: another version of a decoder may judge otherwise.
  const rows = new Map(shards.map((shard) => [shard, [] as number[]]));
  for (const { shard, row } of places) rows.get(shard)!.push(row);
  const used = shards.map((shard) => ({ sha256: shard.index.sha256, rows: rows.get(shard)! }));
  const digest = digestOf({ kind: "pick-a-pic", use, shards: used });
  return { name, digest, size: places.length, split, flippable: true, report, files };
}

function keyOf({ index }: Shard, row: number, side: 0 | 1): string {
  return `${index.sha256} ${row} ${side}`;
}

async function read(folder: string, shard: Shard, row: number, side: 0 | 1) {
  const path = join(folder, shard.path);
  shard.file ??= ParquetFile.open(path);
  shard.file.catch(() => {
    shard.file = undefined;
  });
  const column = `jpg_${side}` as const;
  const [bytes] = await (await shard.file).read(column, [row, row + 1], shard.index.pages[column]);
  return decodeImage(bytes as Uint8Array, `${path} row ${row} ${column}`);
}

import { join } from "node:path";
import { sha256Digest } from "../../../core/canonical-json.js";
import { decodeImage } from "../../../core/data/image.js";
import { openImageFolder, readImageFolder } from "../../../core/data/image-folder.js";
import { IndexFolder } from "../../../core/data/index-folder.js";
import { ParquetFile } from "../../../core/data/parquet-file.js";
import { openPickAPic, type PickAPicPart } from "../../../core/data/pick-a-pic.js";
import { indexShard } from "../../../core/data/pick-a-pic-shard.js";
import { withTemporaryFolder } from "../../support/temporary-folder.js";
import type { ReferenceCase } from "../cases.js";
import type { CaseResult } from "../judge.js";

interface DatasetParameters {
  /** Parquet files in order. */
  readonly files?: readonly string[];
  /** An image folder. */
  readonly folder?: string;
}

export async function run(reference: ReferenceCase): Promise<CaseResult> {
  const { files, folder } = reference.parameters as DatasetParameters;
  return withTemporaryFolder(async (indices) => {
    const index = new IndexFolder(indices);
    if (folder !== undefined) return folderRows(join(reference.folder, folder), index);
    return pairs(reference.folder, files!, index);
  });
}

const NAMES: Readonly<Record<string, unknown>> = { unlabelled: "no label", broken: "broken image" };

async function pairs(folder: string, shards: readonly string[], indices: IndexFolder): Promise<CaseResult> {
  const part: PickAPicPart = { name: "case", split: "train", folder, shards, indices };
  const used = await openPickAPic(part);
  const values: Record<string, unknown[]> = {
    winners: [],
    captions: [],
    winner_sha256: [],
    created_at_microseconds: [],
    ranking_id: [],
  };
  let next = 0;
  const checks: Record<string, string | undefined> = {};
  for (const shard of shards) {
    const { outcomes, captions, pages } = await indexShard(folder, shard);
    const file = await ParquetFile.open(join(folder, shard));
    for (const [row, outcome] of outcomes.entries()) {
      values.winners!.push(NAMES[outcome] ?? outcome);
      values.captions!.push(captions[row]);
      const column = `jpg_${outcome}` as "jpg_0" | "jpg_1";
      if (outcome !== 0 && outcome !== 1) {
        values.winner_sha256!.push(null);
        continue;
      }
      const [bytes] = await file.read(column, [row, row + 1], pages[column]);
      values.winner_sha256!.push(sha256Digest(bytes as Uint8Array).slice("sha256:".length));
      // The data set in use gives just these rows, and their pictures.
      const item = used.item(next++);
      const [expected, got] = [await decodeImage(bytes as Uint8Array), await item.image()];
      const same = item.caption === captions[row] && Buffer.compare(expected.data, got.data) === 0;
      checks[`${shard} row ${row} as an item`] = same ? undefined : "has another caption or picture";
    }
    values.created_at_microseconds!.push(...(await file.read("created_at")).map((time) => Number(time as Date) * 1000));
    values.ranking_id!.push(...(await file.read("ranking_id")).map(Number));
  }
  checks["items of the data set"] = used.size === next ? undefined : `${used.size}, expected ${next}`;
  return { values, checks };
}

async function folderRows(folder: string, indices: IndexFolder): Promise<CaseResult> {
  const { rows } = await readImageFolder({ folder, indices });
  const dataset = await openImageFolder({ name: "case", split: "train", folder, indices });
  const found: unknown[] = [];
  for (const [i, { path, caption, sha256 }] of rows.entries()) {
    const { width, height } = await dataset.item(i).image();
    found.push({ file_name: path, text: caption, width, height, sha256 });
  }
  return { values: { rows: found } };
}

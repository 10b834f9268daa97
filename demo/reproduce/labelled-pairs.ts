import { mkdir, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { parquetWriteBuffer } from "hyparquet-writer";
import { sha256Digest } from "../../core/canonical-json.js";
import { FolderDigests } from "../../core/checkpoint/folder-digests.js";
import { encodeImage } from "../../core/data/image.js";
import { openPreferences } from "../../core/data/open-dataset.js";
import { openScorer } from "../../evaluator/scorers/open-scorer.js";

/** Pairs scored at a time. */
const BATCH = 16;
/** Name of the data set under DATA_DIR. */
export const PAIRS_NAME = "labelled-pairs";

/** What was made. */
export interface LabelledPairs {
  readonly pairs: number;
  /** Share of pairs in which the label agrees with the winners' style. */
  readonly agreement: number;
  /** Digest of the scorer that labelled. */
  readonly labeller: string;
  /** Digest of the parquet file. */
  readonly digest: string;
}

/**
 * Makes the preference data that Diffusion-DPO is trained on: the two pictures of each training caption in a random
 * order, labelled by a scorer as people labelled Pick-a-Pic, in its columns.
 *
 * @param folder DATA_DIR
 * @param maxPairs from the beginning; 0: all
 */
export async function labelPairs(scorerFolder: string, folder: string, maxPairs: number): Promise<LabelledPairs> {
  const pairs = await openPreferences("emoji", "train");
  const count = maxPairs === 0 ? pairs.size : Math.min(maxPairs, pairs.size);
  const opened = await openScorer({ name: "scorer", path: scorerFolder, modelDir: scorerFolder });
  const scorer = await opened.load({ threads: 1 });
  const columns = {
    caption: [] as string[],
    jpg_0: [] as Uint8Array[],
    jpg_1: [] as Uint8Array[],
    label_0: [] as number[],
    label_1: [] as number[],
  };
  let agreed = 0;
  try {
    for (let start = 0; start < count; start += BATCH) {
      const batch = Array.from({ length: Math.min(BATCH, count - start) }, (_, i) => pairs.pair(start + i));
      const captions = batch.map(({ caption }) => caption);
      const pictures = await Promise.all([
        Promise.all(batch.map((pair) => pair.winner())),
        Promise.all(batch.map((pair) => pair.loser())),
      ]);
      const scored = [];
      for (const side of pictures) {
        scored.push((await scorer.score(side.map((image, i) => ({ image, caption: captions[i]! })))).scores);
      }
      for (const [i, caption] of captions.entries()) {
        const [winner, loser] = [scored[0]![i]!, scored[1]![i]!];
        const isLiked = winner > loser ? 1 : winner < loser ? 0 : 0.5;
        agreed += isLiked;
        // Every other pair the other way round: which one stands first says nothing.
        const isSwapped = (start + i) % 2 === 1;
        const encoded = [await encodeImage(pictures[0][i]!), await encodeImage(pictures[1][i]!)] as const;
        columns.caption.push(caption);
        columns.jpg_0.push(encoded[isSwapped ? 1 : 0]);
        columns.jpg_1.push(encoded[isSwapped ? 0 : 1]);
        columns.label_0.push(isSwapped ? 1 - isLiked : isLiked);
        columns.label_1.push(isSwapped ? isLiked : 1 - isLiked);
      }
    }
  } finally {
    await scorer.release();
  }
  const file = join(folder, PAIRS_NAME, "train-00000.parquet");
  const content = new Uint8Array(
    parquetWriteBuffer({
      columnData: [
        { name: "caption", data: columns.caption, type: "STRING" },
        { name: "jpg_0", data: columns.jpg_0, type: "BYTE_ARRAY" },
        { name: "jpg_1", data: columns.jpg_1, type: "BYTE_ARRAY" },
        { name: "label_0", data: columns.label_0, type: "DOUBLE" },
        { name: "label_1", data: columns.label_1, type: "DOUBLE" },
      ],
    }),
  );
  await mkdir(join(folder, PAIRS_NAME), { recursive: true });
  await writeFile(`${file}.part`, content);
  await rename(`${file}.part`, file);
  const labeller = (await new FolderDigests().manifest(scorerFolder)).digest;
  return { pairs: count, agreement: agreed / count, labeller, digest: sha256Digest(content) };
}

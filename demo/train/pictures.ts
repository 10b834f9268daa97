import type { Dataset } from "../../core/data/dataset.js";
import { toTensor } from "../../core/data/image.js";

/** All captions and pictures of a data set in memory: 48 KB a picture of 64×64. */
export interface Pictures {
  readonly captions: readonly string[];
  /** [3, H, W] in [−1, 1], one per caption. */
  readonly images: readonly Float32Array[];
  readonly digest: string;
}

export async function loadPictures(dataset: Pick<Dataset, "size" | "item" | "digest">): Promise<Pictures> {
  const items = Array.from({ length: dataset.size }, (_, i) => dataset.item(i));
  const images: Float32Array[] = [];
  for (const item of items) images.push(toTensor(await item.image()));
  return { captions: items.map(({ caption }) => caption), images, digest: dataset.digest };
}

/** Rows of equal length, one behind another. */
export function stack(rows: readonly Float32Array[]): Float32Array {
  const width = rows[0]!.length;
  const all = new Float32Array(rows.length * width);
  rows.forEach((row, i) => {
    all.set(row, i * width);
  });
  return all;
}

import { createPhiloxStream } from "../../core/diffusion/philox.js";
import { parseClipConfig } from "../../core/models/clip/config.js";
import type { ClipTokenizer } from "../../core/models/clip/tokenizer.js";
import { augment } from "./augment.js";
import { contrastiveRows, EncodedTexts, preferenceRows, scorerFeeds } from "./scorer-batches.js";
import { EXCLUDED } from "./scorer-model.js";

const SIZE = 200;

test("batches are functions of seed and step", () => {
  for (const rows of [contrastiveRows, preferenceRows]) {
    expect(rows(1n, 7, 16, SIZE)).toEqual(rows(1n, 7, 16, SIZE));
    expect(rows(1n, 7, 16, SIZE)).not.toEqual(rows(1n, 8, 16, SIZE));
    expect(rows(1n, 7, 16, SIZE)).not.toEqual(rows(2n, 7, 16, SIZE));
  }
});

test("a contrastive batch has captions from all over, runs of neighbours, and both styles", () => {
  const captions = contrastiveRows(1n, 0, 16, SIZE).map((row) => row >> 1);
  const runs = [captions.slice(8, 12), captions.slice(12)];
  for (const run of runs) expect(run.map((caption) => caption - run[0]!)).toEqual([0, 1, 2, 3]);
  expect(new Set(captions.slice(0, 8)).size).toBe(8);
  const styles = [0, 1, 2, 3].flatMap((step) => contrastiveRows(1n, step, 16, SIZE).map((row) => row % 2));
  expect(new Set(styles).size).toBe(2);
});

test("a batch of preferences has winner and other of each caption side by side", () => {
  const rows = preferenceRows(1n, 3, 16, SIZE);
  expect(rows).toHaveLength(16);
  for (let i = 0; i < 16; i += 2) expect([rows[i]! % 2, rows[i + 1]]).toEqual([0, rows[i]! + 1]);
});

test("feeds exclude repetitions of a caption, and only those", () => {
  const tokenizer = {
    encode: (_: string, length: number) => new Int32Array(length).fill(3),
  } as unknown as ClipTokenizer;
  const texts = new EncodedTexts(tokenizer, parseClipConfig({}, "").text);
  const image = new Float32Array(3 * 4 * 4);
  const pictures = { captions: ["a", "a", "b"], images: [image, image, image], digest: "" };
  const { same, pixels, ids } = scorerFeeds(pictures, texts, [0, 1, 2], 1n, 0);
  expect([...same]).toEqual([0, EXCLUDED, 0, EXCLUDED, 0, 0, 0, 0, 0].map(Math.fround));
  expect([pixels.length, ids.length]).toEqual([3 * 48, 3 * 77]);
});

test("augmentation moves a picture without mirroring it and stays within the range", () => {
  const size = 16;
  const image = new Float32Array(3 * size * size).fill(1);
  for (let channel = 0; channel < 3; channel++) image[(channel * size + 8) * size + 8] = -1; // a black dot
  const places = new Set<number>();
  for (let index = 0; index < 40; index++) {
    const out = augment(image, size, createPhiloxStream(1n, { iteration: 0, index, purpose: 0 }));
    const darkest = out.subarray(0, size * size).reduce((best, value, i, all) => (value < all[best]! ? i : best), 0);
    places.add(darkest);
    expect(Math.abs(Math.floor(darkest / size) - 8)).toBeLessThanOrEqual(4);
    expect(Math.abs((darkest % size) - 8)).toBeLessThanOrEqual(4);
    expect(out.every((value) => value >= -1 && value <= 1)).toBe(true);
  }
  expect(places.size).toBeGreaterThan(10);
});

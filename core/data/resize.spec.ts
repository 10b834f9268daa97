import { loadCase } from "../../test/reference/cases.js";
import type { RgbImage } from "./image.js";
import { type ResizeFilter, resizeLikePillow } from "./resize.js";

const image = (width: number, height: number, at: (x: number, y: number) => number): RgbImage => ({
  width,
  height,
  data: Uint8Array.from({ length: 3 * width * height }, (_, i) =>
    at(Math.floor(i / 3) % width, Math.floor(i / 3 / width)),
  ),
});

test.each<ResizeFilter>(["bilinear", "bicubic"])(
  "%s keeps an even colour, and the picture's size where it is asked for",
  (filter) => {
    const even = image(7, 5, () => 93);
    expect(resizeLikePillow(even, 3, 11, filter)).toEqual(image(3, 11, () => 93));
    const other = image(4, 4, (x, y) => 10 * x + y);
    expect(resizeLikePillow(other, 4, 4, filter)).toEqual(other);
  },
);

test("halving averages with the widened filter, bilinear: ⅛ ⅜ ⅜ ⅛", () => {
  const step = image(8, 1, (x) => (x < 4 ? 0 : 240));
  expect([...resizeLikePillow(step, 4, 1, "bilinear").data].filter((_, i) => i % 3 === 0)).toEqual([0, 30, 210, 240]);
});

test("bicubic rings beside an edge, and is cut off at the range", () => {
  const edge = image(8, 1, (x) => (x < 4 ? 100 : 200));
  const row = [...resizeLikePillow(edge, 16, 1, "bicubic").data].filter((_, i) => i % 3 === 0);
  expect(Math.min(...row)).toBeLessThan(100);
  expect(Math.max(...row)).toBeGreaterThan(200);
  const full = image(8, 1, (x) => (x < 4 ? 0 : 255));
  const cut = resizeLikePillow(full, 16, 1, "bicubic").data;
  expect([Math.min(...cut), Math.max(...cut)]).toEqual([0, 255]);
});

const reference = loadCase("preprocess/pictures");
const { train_side: side, files } = reference.parameters as { train_side: number; files: string[] };

// The case's alpha.png was resized before its alpha was dropped.
test.each(files.filter((file) => !file.includes("alpha")))(
  "%s is resized for training as Pillow does",
  async (file) => {
    const name = file.replace(/^images\//, "");
    const { shape, data } = await reference.tensor(`out.pixels.${name}`);
    const [height, width] = shape as [number, number, number];
    const expected = await reference.tensor(`out.train.${name}`);
    const shorter = Math.min(width, height);
    const [w, h] = [Math.floor((width * side) / shorter), Math.floor((height * side) / shorter)];
    const resized = resizeLikePillow({ width, height, data: data as Uint8Array }, w, h, "bilinear");
    const { atol = 0 } = reference.expected[`out.train.${name}`]!;
    const [left, top] = [halved(w - side), halved(h - side)];
    let worst = 0;
    for (const [i, value] of (expected.data as Float32Array).entries()) {
      const [channel, y, x] = [Math.floor(i / side ** 2), Math.floor(i / side) % side, i % side];
      const got = resized.data[3 * ((top + y) * w + left + x) + channel]! / 127.5 - 1;
      worst = Math.max(worst, Math.abs(got - value));
    }
    expect(worst).toBeLessThanOrEqual(atol);
  },
);

/** Half of a whole number, as Python rounds it: to the even one of two. */
function halved(spare: number): number {
  const half = Math.floor(spare / 2);
  return half + (spare % 2 === 1 && half % 2 === 1 ? 1 : 0);
}

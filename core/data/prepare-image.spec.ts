import type { RgbImage } from "./image.js";
import { cropCorner, prepareImage } from "./prepare-image.js";

/** Red tells the column, green the row. */
function chart(width: number, height: number): RgbImage {
  const data = new Uint8Array(3 * width * height);
  for (let y = 0; y < height; y++) for (let x = 0; x < width; x++) data.set([10 * x, 10 * y, 7], 3 * (y * width + x));
  return { width, height, data };
}
const columns = ({ width, data }: RgbImage) => Array.from({ length: width }, (_, x) => data[3 * x]! / 10);
const rows = ({ width, height, data }: RgbImage) =>
  Array.from({ length: height }, (_, y) => data[3 * y * width + 1]! / 10);

test("a picture of the right size is left as it is", () => {
  const image = chart(4, 4);
  expect(prepareImage(image, { resolution: 4, crop: "center", flip: false })).toBe(image);
});

test("a square is cut out of the middle of the longer side", () => {
  const wide = prepareImage(chart(8, 4), { resolution: 4, crop: "center", flip: false });
  expect(columns(wide)).toEqual([2, 3, 4, 5]);
  expect(rows(wide)).toEqual([0, 1, 2, 3]);
  const high = prepareImage(chart(4, 7), { resolution: 4, crop: "center", flip: false });
  expect(rows(high)).toEqual([2, 3, 4, 5]);
  const odd = prepareImage(chart(5, 4), { resolution: 4, crop: "center", flip: false });
  expect(columns(odd)).toEqual([0, 1, 2, 3]); // half a pixel goes to the even side
});

test("coordinates from 0 to less than 1 reach from one end to the other", () => {
  const at = (x: number) => columns(prepareImage(chart(7, 4), { resolution: 4, crop: { x, y: 0.5 }, flip: false }))[0];
  expect([at(0), at(0.3), at(0.6), at(0.999)]).toEqual([0, 1, 2, 3]);
});

test("a flip exchanges left and right only", () => {
  const image = prepareImage(chart(4, 4), { resolution: 4, crop: "center", flip: true });
  expect(columns(image)).toEqual([3, 2, 1, 0]);
  expect(rows(image)).toEqual([0, 1, 2, 3]);
});

test("the shorter side is resized, the longer in proportion", () => {
  const white = { width: 30, height: 20, data: new Uint8Array(3 * 30 * 20).fill(255) };
  const half = prepareImage(white, { resolution: 10, crop: "center", flip: false });
  expect([half.width, half.height]).toEqual([10, 10]);
  expect(half.data.every((value) => value === 255)).toBe(true);
});

test("shrinking averages instead of picking pixels", () => {
  const stripes = { width: 16, height: 16, data: new Uint8Array(3 * 256).map((_, i) => (Math.floor(i / 3) % 2) * 200) };
  const small = prepareImage(stripes, { resolution: 4, crop: "center", flip: false });
  for (const value of small.data) expect(Math.abs(value - 100)).toBeLessThan(30);
});

test("the corner of a crop is that of the picture as it is seen, mirrored where it is", () => {
  const placement = { resolution: 4, crop: { x: 0.2, y: 0 }, flip: false };
  const wide = { width: 16, height: 8 }; // 8 × 4 after resizing
  expect(cropCorner(wide, placement)).toEqual({ top: 0, left: 1 });
  expect(cropCorner(wide, { ...placement, flip: true })).toEqual({ top: 0, left: 3 });
  expect(cropCorner({ width: 4, height: 7 }, { ...placement, crop: "center" })).toEqual({ top: 2, left: 0 });
  expect(columns(prepareImage(chart(8, 4), placement))[0]).toBe(1);
});

import { contactSheet } from "./contact-sheet.js";
import type { RgbImage } from "./image.js";

const plain = (red: number, size = 2): RgbImage => ({
  width: size,
  height: size,
  data: Uint8Array.from({ length: 3 * size * size }, (_, index) => (index % 3 === 0 ? red : 0)),
});

const pixel = ({ width, data }: RgbImage, x: number, y: number) => [
  ...data.subarray(3 * (y * width + x), 3 * (y * width + x) + 3),
];

describe("contactSheet", () => {
  it("puts pictures in rows and columns with gaps of four pixels, missing ones white", async () => {
    const sheet = await contactSheet([{ images: [plain(10), plain(20)] }, { images: [plain(30)] }]);
    expect([sheet.width, sheet.height]).toEqual([16, 16]);
    expect(pixel(sheet, 4, 4)).toEqual([10, 0, 0]);
    expect(pixel(sheet, 11, 5)).toEqual([20, 0, 0]);
    expect(pixel(sheet, 5, 10)).toEqual([30, 0, 0]);
    for (const [x, y] of [
      [3, 4],
      [6, 4],
      [12, 4],
      [10, 10],
    ] as const)
      expect(pixel(sheet, x, y)).toEqual([255, 255, 255]);
  });

  it("draws each pixel as a square of the scale", async () => {
    const image = { width: 2, height: 1, data: Uint8Array.of(1, 2, 3, 4, 5, 6) };
    const sheet = await contactSheet([{ images: [image] }], { scale: 3 });
    expect([sheet.width, sheet.height]).toEqual([4 + 6 + 4, 4 + 3 + 4]);
    expect(pixel(sheet, 6, 6)).toEqual([1, 2, 3]);
    expect(pixel(sheet, 7, 6)).toEqual([4, 5, 6]);
  });

  it("makes room for labels of any characters without touching the pictures", async () => {
    const rows = [{ label: "a <b> & c", images: [plain(10)] }, { images: [plain(20)] }];
    const sheet = await contactSheet(rows, { columnLabels: ["base", "spin-1"] });
    const [left, top] = [sheet.width - 2 * 6, 22];
    expect(pixel(sheet, left, top)).toEqual([10, 0, 0]);
    expect(pixel(sheet, left, top + 6)).toEqual([20, 0, 0]);
    expect(sheet.data).toHaveLength(3 * sheet.width * sheet.height);
  });

  it("refuses no pictures, and pictures of different sizes", async () => {
    await expect(contactSheet([{ images: [] }])).rejects.toThrow("at least one picture");
    await expect(contactSheet([{ images: [plain(1), plain(2, 3)] }])).rejects.toThrow("one size: 2×2, not 3×3");
  });
});

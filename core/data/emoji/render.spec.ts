import type { SpinError } from "../../errors.js";
import type { RgbImage } from "../image.js";
import { CONCEPTS, type EmojiStyle } from "./captions.js";
import { EMOJI_SIZE, emojiSvg, renderEmoji } from "./render.js";

const STYLES: readonly EmojiStyle[] = ["fluent", "noto"];

/** Rows between the top and the bottom edge and the first picture row that is not white. */
function verticalMargins({ width, height, data }: RgbImage): [number, number] {
  const inked = (y: number) => data.subarray(3 * y * width, 3 * (y + 1) * width).some((value) => value < 240);
  const rows = Array.from({ length: height }, (_, y) => y).filter(inked);
  return [rows[0] as number, height - 1 - (rows.at(-1) as number)];
}

const median = (values: readonly number[]) =>
  [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] as number;

describe("renderEmoji", () => {
  it("draws 64×64 on white: a red circle is red in the middle and white in the corners", async () => {
    for (const style of STYLES) {
      const { width, height, data } = await renderEmoji(style, "red-circle");
      expect([width, height, data.length]).toEqual([64, 64, 3 * 64 * 64]);
      const [red, green, blue] = data.subarray(3 * (32 * 64 + 32)) as unknown as [number, number, number];
      expect(red).toBeGreaterThan(180);
      expect(Math.max(green, blue)).toBeLessThan(80);
      for (const corner of [0, 63, 63 * 64, 64 * 64 - 1])
        expect([...data.subarray(3 * corner, 3 * corner + 3)]).toEqual([255, 255, 255]);
    }
  });

  it("fills the picture alike in both styles, with a margin of two pixels", async () => {
    const sample = CONCEPTS.filter((_, index) => index % 10 === 0);
    for (const style of STYLES) {
      const margins = await Promise.all(
        sample.map(async ({ icons }) => verticalMargins(await renderEmoji(style, icons[style]))),
      );
      expect(median(margins.map(([top]) => top))).toBe(2);
      expect(median(margins.map(([, bottom]) => bottom))).toBe(2);
    }
  });

  it("shows something in every picture, and another thing in each style", async () => {
    for (const { caption, icons } of CONCEPTS.filter((_, index) => index % 7 === 0)) {
      const [fluent, noto] = [await renderEmoji("fluent", icons.fluent), await renderEmoji("noto", icons.noto)];
      for (const { data } of [fluent, noto])
        expect([caption, data.some((value) => value < 200)]).toEqual([caption, true]);
      expect(Buffer.compare(fluent.data, noto.data)).not.toBe(0);
    }
  });

  it("draws a picture once and hands out the same one", async () => {
    expect(await renderEmoji("noto", "blue-heart")).toBe(await renderEmoji("noto", "blue-heart"));
  });

  it("names an icon that it does not have", async () => {
    const error: unknown = await renderEmoji("noto", "no-such-icon").catch((caught: unknown) => caught);
    expect((error as SpinError).kind).toBe("notFound");
    expect((error as SpinError).message).toContain('no noto icon "no-such-icon"');
  });
});

describe("emojiSvg", () => {
  it("is a whole document of the picture's size", async () => {
    const svg = await emojiSvg("fluent", "blue-heart");
    expect(svg.startsWith(`<svg xmlns="http://www.w3.org/2000/svg" width="${EMOJI_SIZE}" height="${EMOJI_SIZE}"`)).toBe(
      true,
    );
    expect(svg.endsWith("</svg>")).toBe(true);
  });
});

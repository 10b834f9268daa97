import { CLIP_MEAN, CLIP_STD } from "../../core/models/clip/pixels.js";
import { loadCase } from "../../test/reference/cases.js";
import { fitPicture } from "./fit-picture.js";

test("a picture of the right size keeps every bit", () => {
  const data = Uint8Array.from({ length: 3 * 16 }, (_, i) => 5 * i);
  const pixels = fitPicture({ width: 4, height: 4, data }, 4);
  for (let i = 0; i < 48; i++) {
    const [channel, pixel] = [Math.floor(i / 16), i % 16];
    expect(pixels[i]).toBeCloseTo((data[3 * pixel + channel]! / 255 - CLIP_MEAN[channel]!) / CLIP_STD[channel]!, 4);
  }
});

const reference = loadCase("preprocess/pictures");
const { clip_side: side, files } = reference.parameters as { clip_side: number; files: string[] };

test.each(files)("%s is prepared as transformers prepares it", async (file) => {
  const name = file.replace(/^images\//, "");
  const { shape, data } = await reference.tensor(`out.pixels.${name}`);
  const [height, width] = shape as [number, number, number];
  const expected = await reference.floats(`out.clip.${name}`);
  const got = fitPicture({ width, height, data: data as Uint8Array }, side);
  expect(got).toHaveLength(expected.length);
  const { atol = 0 } = reference.expected[`out.clip.${name}`]!;
  const worst = got.reduce((most, value, i) => Math.max(most, Math.abs(value - expected[i]!)), 0);
  expect(worst).toBeLessThanOrEqual(atol);
});

import { CLIP_MEAN, CLIP_STD, clipPixels } from "./pixels.js";

test("black and white of each channel become what CLIP's mean and deviation make of 0 and 1", () => {
  const pixels = clipPixels(Float32Array.from([-1, 1, -1, 1, -1, 1])); // [3, 1, 2]
  const expected = CLIP_MEAN.flatMap((mean, channel) => [0, 1].map((value) => (value - mean) / CLIP_STD[channel]!));
  for (const [i, value] of expected.entries()) expect(pixels[i]).toBeCloseTo(value, 5);
});

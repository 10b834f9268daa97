import { resizeTensorBicubic } from "./resize-tensor.js";

const [width, height] = [7, 5];
const data = Uint8Array.from({ length: 3 * width * height }, (_, i) => {
  const [channel, pixel] = [i % 3, Math.floor(i / 3)];
  return ((pixel % width) * 37 + Math.floor(pixel / width) * 91 + channel * 53) % 256;
});

// Made with PyTorch 2.15: F.interpolate(mode="bicubic", align_corners=False, antialias=…) of the same picture over 255.
test.each([
  { antialias: true, row: [0.215184, 0.469514, 0.650348, 0.517129], sum: 18.28217, size: [4, 3] as const },
  { antialias: false, row: [0.131565, 0.466581, 0.731286, 0.579827], sum: 17.81011, size: [4, 3] as const },
  { antialias: true, row: [-0.034467, 0.042262, 0.155694, 0.257263], sum: 121.3483, size: [10, 8] as const },
  { antialias: false, row: [-0.044923, 0.032759, 0.155045, 0.24671], sum: 121.47272, size: [10, 8] as const },
])("7 × 5 pixels become $size as torch makes them, antialias $antialias", ({ antialias, row, sum, size }) => {
  const resized = resizeTensorBicubic({ width, height, data }, size[0]!, size[1]!, antialias);
  expect(resized).toHaveLength(3 * size[0]! * size[1]!);
  for (const [i, value] of row.entries()) expect(resized[i]).toBeCloseTo(value, 5);
  expect(resized.reduce((total, value) => total + value, 0)).toBeCloseTo(sum, 3);
});

test("a picture of the right size keeps its values", () => {
  const same = resizeTensorBicubic({ width, height, data }, width, height, true);
  expect(same[0]).toBe(Math.fround(data[0]! / 255));
  expect(same.at(-1)).toBe(Math.fround(data.at(-1)! / 255));
});

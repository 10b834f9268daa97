import { seededRandom } from "../../test/support/seeded-random.js";
import type { Features } from "./features.js";
import { fid } from "./fid.js";

function gaussianLike(rows: number, columns: number, scale: number, shift: number, random: () => number): Features {
  const data = Float64Array.from({ length: rows * columns }, () => shift + scale * (random() + random() - 1));
  return { data, rows, columns };
}

test("is zero for a set against itself, also with fewer pictures than dimensions", async () => {
  for (const rows of [40, 5]) {
    const x = gaussianLike(rows, 12, 1, 0, seededRandom(rows));
    expect(await fid(x, x)).toBeCloseTo(0, 10);
  }
});

test("is the squared shift for sets that differ by a shift alone", async () => {
  const x = gaussianLike(30, 4, 1, 0, seededRandom(2));
  const shifted = { ...x, data: x.data.map((v) => v + 0.5) };
  expect(await fid(x, shifted)).toBeCloseTo(4 * 0.5 ** 2, 10);
});

test("is the squared difference of deviations in one dimension", async () => {
  const x: Features = { data: Float64Array.of(-1, 1), rows: 2, columns: 1 }; // deviation √2
  const y: Features = { data: Float64Array.of(-3, 0, 3), rows: 3, columns: 1 }; // deviation 3
  expect(await fid(x, y)).toBeCloseTo((Math.SQRT2 - 3) ** 2, 12);
});

test("does not depend on the order of the sets", async () => {
  const random = seededRandom(4);
  const x = gaussianLike(9, 15, 1, 0, random);
  const y = gaussianLike(25, 15, 2, 0.3, random);
  expect(await fid(x, y)).toBeCloseTo(await fid(y, x), 10);
});

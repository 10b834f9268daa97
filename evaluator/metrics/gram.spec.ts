import { seededRandom } from "../../test/support/seeded-random.js";
import type { Features } from "./features.js";
import { gram } from "./gram.js";

function randomFeatures(rows: number, columns: number, random: () => number): Features {
  return { data: Float32Array.from({ length: rows * columns }, () => random() - 0.5), rows, columns };
}

test.each([
  [1, 1, 1],
  [4, 8, 3],
  [33, 31, 7],
  [70, 5, 12],
])("gives every inner product of %d and %d rows of %d columns, whatever the tiles cut off", async (m, n, depth) => {
  const random = seededRandom(m);
  const x = randomFeatures(m, depth, random);
  const y = randomFeatures(n, depth, random);
  const products = await gram(x, y);
  expect(products).toHaveLength(m * n);
  for (let i = 0; i < m; i++) {
    for (let j = 0; j < n; j++) {
      let expected = 0;
      for (let k = 0; k < depth; k++) expected += x.data[i * depth + k]! * y.data[j * depth + k]!;
      expect(products[i * n + j]).toBeCloseTo(expected, 12);
    }
  }
});

test("refuses sets of different width, naming both", async () => {
  const random = seededRandom();
  await expect(gram(randomFeatures(2, 3, random), randomFeatures(2, 4, random))).rejects.toMatchObject({
    kind: "invalid",
    message: expect.stringContaining("3 and 4 columns"),
  });
});

test("refuses data that do not fill the claimed shape", async () => {
  const broken = { data: new Float32Array(5), rows: 2, columns: 3 };
  await expect(gram(broken, broken)).rejects.toThrow("5 values where [2, 3] takes 6");
});

import { seededRandom } from "../../test/support/seeded-random.js";
import { type Matrix, singularValues, transpose, triangularFactor } from "./singular-values.js";

const matrix = (...rows: number[][]): Matrix => ({
  data: Float64Array.from(rows.flat()),
  rows: rows.length,
  columns: rows[0]!.length,
});

const descending = (values: Float64Array): number[] => [...values].sort((a, b) => b - a);

function expectClose(got: readonly number[], expected: readonly number[]): void {
  expect(got).toHaveLength(expected.length);
  for (const [i, value] of expected.entries()) expect(got[i]).toBeCloseTo(value, 10);
}

test("finds the values of a known matrix, tall or wide", async () => {
  const tall = matrix([3, 0], [4, 5], [0, 0]); // σ² are the eigenvalues of [[25, 20], [20, 25]]
  const expected = [Math.sqrt(45), Math.sqrt(5)];
  expectClose(descending(await singularValues(tall)), expected);
  expectClose(descending(await singularValues(transpose(tall))), expected);
});

test("finds those of diagonal, rank-deficient and zero matrices", async () => {
  expectClose(descending(await singularValues(matrix([0, 2, 0], [-7, 0, 0], [0, 0, 1e-9]))), [7, 2, 1e-9]);
  expectClose(descending(await singularValues(matrix([1, 1], [1, 1]))), [2, 0]);
  expectClose(descending(await singularValues(matrix([0, 0], [0, 0]))), [0, 0]);
  expectClose(descending(await singularValues(matrix([-5]))), [5]);
});

test("recovers a spectrum hidden by rotations", async () => {
  const random = seededRandom(3);
  const size = 40;
  const spectrum = Array.from({ length: size }, (_, i) => (i < 30 ? 100 / (i + 1) : 0));
  const data = new Float64Array(size * size);
  for (const [i, value] of spectrum.entries()) data[i * (size + 1)] = value;
  for (let n = 0; n < 2000; n++) rotate(data, size, random);
  const values = descending(await singularValues({ data, rows: size, columns: size }));
  for (const [i, value] of spectrum.entries()) expect(Math.abs(values[i]! - value)).toBeLessThan(1e-11);
});

test("the triangular factor keeps AᵀA", async () => {
  const a = matrix([1, 2], [3, 4], [5, 6], [-1, 0]);
  const r = await triangularFactor(a);
  expect([r.rows, r.columns]).toEqual([2, 2]);
  for (const [i, j, expected] of [
    [0, 0, 36],
    [0, 1, 44],
    [1, 1, 56],
  ] as const) {
    expect(r.data[i]! * r.data[j]! + r.data[2 + i]! * r.data[2 + j]!).toBeCloseTo(expected, 10);
  }
});

/** Turns two random rows, then two random columns, by a random angle. */
function rotate(data: Float64Array, size: number, random: () => number): void {
  for (const [step, stride] of [
    [1, size],
    [size, 1],
  ] as const) {
    const p = Math.floor(random() * size);
    const q = (p + 1 + Math.floor(random() * (size - 1))) % size;
    const angle = 2 * Math.PI * random();
    for (let k = 0; k < size; k++) {
      const a = data[p * stride + k * step]!;
      const b = data[q * stride + k * step]!;
      data[p * stride + k * step] = Math.cos(angle) * a - Math.sin(angle) * b;
      data[q * stride + k * step] = Math.sin(angle) * a + Math.cos(angle) * b;
    }
  }
}

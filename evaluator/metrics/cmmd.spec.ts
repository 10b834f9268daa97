import { bootstrapCmmd, cmmd, gaussianKernels } from "./cmmd.js";
import type { Features } from "./features.js";

const set = (...rows: number[][]): Features => ({
  data: Float32Array.from(rows.flat()),
  rows: rows.length,
  columns: rows[0]!.length,
});

test("is zero for a set against itself, diagonals included", async () => {
  const x = set([1, 2], [-3, 1], [0.5, 0.5]);
  expect(cmmd(await gaussianKernels(x, x))).toBeCloseTo(0, 12);
});

test("is the closed form for two sets of one direction each", async () => {
  // All of x is the unit vector e1, all of y is −e1: kernels 1 within and exp(−4/200) across.
  const value = cmmd(await gaussianKernels(set([2, 0], [7, 0]), set([-1, 0], [-4, 0], [-9, 0])));
  expect(value).toBeCloseTo(1000 * (2 - 2 * Math.exp(-4 / 200)), 9);
});

test("does not see the length of embeddings", async () => {
  const y = set([1, -1], [0, 1]);
  const short = cmmd(await gaussianKernels(set([1, 2], [-3, 1]), y));
  expect(cmmd(await gaussianKernels(set([10, 20], [-0.3, 0.1]), y))).toBeCloseTo(short, 5);
});

test("bootstrap replicates are in the units of the value itself", async () => {
  const kernels = await gaussianKernels(set([1, 2], [-3, 1], [0.5, 0.5]), set([2, 1], [0, 1], [1, 1]));
  const rows = Int32Array.of(0, 1, 2);
  const replicates = await bootstrapCmmd(kernels, { x: rows, y: rows }, [Int32Array.of(2, 0, 1)]);
  expect(replicates[0]).toBeCloseTo(cmmd(kernels), 9);
});

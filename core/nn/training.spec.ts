import * as ops from "../graph/ops/index.js";
import { ADAMW_DEFAULTS, globalNorm } from "./adamw.js";
import { Training } from "./training.js";

/** Mean of (w·x)² over one micro-batch of two rows; more weights than a tile of AdamW has, and no multiple of 4. */
const SIZE = 16385;
const create = () =>
  Training.create(
    (p) => {
      const product = ops.mul(p.get("w", [SIZE]), ops.input("x", [2, SIZE]));
      return { loss: ops.mean(ops.square(ops.reduceMean(product, [1]))), outputs: {} };
    },
    () => Float32Array.from({ length: SIZE }, (_, i) => Math.sin(i)),
  );
const x = (phase: number) => Float32Array.from({ length: 2 * SIZE }, (_, i) => Math.cos(i + phase));
const update = { ...ADAMW_DEFAULTS, learningRate: 1e-2 };

test("micro-batches added one by one make the step that they make together", async () => {
  const [one, other] = [await create(), await create()];
  const together = await one.step([{ x: x(1) }, { x: x(2) }], update);
  await other.add({ x: x(1) });
  await other.add({ x: x(2) });
  expect(other.update(update)).toEqual({ gradientNorm: together.gradientNorm, updateNorm: together.updateNorm });
  expect(other.weights.data).toEqual(one.weights.data);
  // The next sum begins anew.
  await one.add({ x: x(3) });
  expect(globalNorm(one.gradient("w"))).toBeCloseTo(one.update(update).gradientNorm, 12);
  await Promise.all([one.release(), other.release()]);
});

test("the update's norm is that of the weights' change", async () => {
  const training = await create();
  for (const phase of [1, 2]) {
    const before = training.weights.data.slice();
    const { updateNorm } = await training.step([{ x: x(phase) }], update);
    const change = training.weights.data.map((value, i) => value - before[i]!);
    expect(updateNorm / globalNorm(change)).toBeCloseTo(1, 5);
  }
  await training.release();
});

test("a gradient that is not finite is refused and leaves weights and moments as they are", async () => {
  const training = await create();
  const before = training.weights.data.slice();
  await training.add({ x: x(1).fill(Number.NaN, 0, 1) });
  expect(() => training.update(update)).toThrow("the gradient's norm is NaN; lower the learning rate");
  expect(training.weights.data).toEqual(before);
  expect(training.optimizer.steps).toBe(0);
  await training.release();
});

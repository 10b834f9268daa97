import * as ops from "../graph/ops/index.js";
import type { Value } from "../graph/value.js";
import { ADAMW_DEFAULTS } from "./adamw.js";
import { Training, type TrainingOptions } from "./training.js";

const [LAYERS, ROWS, WIDTH] = [12, 64, 32];

/** A chain of layers with a skip from the second to the last but one: much is kept for the backward pass. */
const create = (options: TrainingOptions) =>
  Training.create(
    (p) => {
      let x: Value = ops.input("x", [ROWS, WIDTH]);
      let skip = x;
      for (let i = 0; i < LAYERS; i++) {
        if (i === LAYERS - 2) x = ops.add(x, skip);
        x = ops.silu(ops.tanh(ops.matmul(x, p.get(`w${i}`, [WIDTH, WIDTH]))));
        if (i === 1) skip = x;
      }
      return { loss: ops.mean(ops.square(x)), outputs: {} };
    },
    (name) => Float32Array.from({ length: WIDTH * WIDTH }, (_, i) => Math.sin(i * 7 + name.length + i) / 4),
    { threads: 1, ...options },
  );
const feeds = { x: Float32Array.from({ length: ROWS * WIDTH }, (_, i) => Math.cos(i)) };

/** The least budget, which the error for a smaller one names. */
const least = async () => {
  const message = await create({ memoryBudgetMb: 0 }).then(
    () => "",
    (error: Error) => error.message,
  );
  return Number(/allow (\d+) MiB/.exec(message)?.[1]);
};

test("a budget that nothing fits names the least that does, which gives the same gradients", async () => {
  const budget = await least();
  expect(budget).toBeGreaterThan(0);
  const [free, tight] = [await create({}), await create({ memoryBudgetMb: budget })];
  for (const training of [free, tight]) await training.accumulate([feeds]);
  for (const name of free.shapes.keys()) expect(tight.gradient(name)).toEqual(free.gradient(name));
  const update = { ...ADAMW_DEFAULTS, learningRate: 1e-2 };
  expect(tight.update(update)).toEqual(free.update(update));
  await Promise.all([free.release(), tight.release()]);
});

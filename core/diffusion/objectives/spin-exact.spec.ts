import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import * as ops from "../../graph/ops/index.js";
import { conv2d } from "../../nn/layers.js";
import type { Parameters } from "../../nn/parameters.js";
import { type Feeds, type Objective, Training } from "../../nn/training.js";
import { createPhiloxStream } from "../philox.js";
import { LOGISTIC, marginLossOf } from "./margin-loss.js";
import { buildObjective, type Denoise } from "./objective.js";
import { spinMargin } from "./spin-approximate.js";
import { addTrajectories, microBatchesPerGroup, trajectoryMargins } from "./spin-exact.js";
import { squaredError } from "./squared-error.js";

const LATENT = [3, 4, 4] as const;
const SIZE = 48;
const stream = createPhiloxStream(11n, { iteration: 0, index: 0, purpose: 0 });
const normals = (count: number) => stream.normals(count);

const denoiser =
  (p: Parameters): Denoise =>
  (xt) =>
    conv2d(p.at("out"), ops.silu(conv2d(p.at("in"), xt, 8)), 3);

const initial = (() => {
  const made = new Map<string, Float32Array>();
  return (name: string, shape: readonly number[]) => {
    const values = made.get(name) ?? normals(shape.reduce((a, b) => a * b, 1)).map((x) => x / 4);
    made.set(name, values);
    return values.slice();
  };
})();

/** Draws of N trajectories of T steps, one behind another. */
function draws(rows: number): Record<string, Float32Array> {
  return {
    real_xt: normals(rows * SIZE),
    real_target: normals(rows * SIZE),
    real_timestep: new Float32Array(rows),
    synthetic_xt: normals(rows * SIZE),
    synthetic_target: normals(rows * SIZE),
    synthetic_timestep: new Float32Array(rows),
    encoder_hidden_states: new Float32Array(rows * 2),
    real_reference: normals(rows).map((x) => 1.5 + x / 2),
    synthetic_reference: normals(rows).map((x) => 1.5 + x / 2),
    weight: normals(rows).map((x) => 1 + x * x),
  };
}

function cut(all: Record<string, Float32Array>, rows: number, size: number): Feeds[] {
  return Array.from({ length: rows / size }, (_, i) =>
    Object.fromEntries(
      Object.entries(all).map(([name, values]) => {
        const length = values.length / rows;
        return [name, values.slice(i * size * length, (i + 1) * size * length)];
      }),
    ),
  );
}

/** Equation 4.8 written down as it stands, all draws in one graph. */
function onePass(p: Parameters, trajectories: number, numSteps: number): Objective {
  const rows = trajectories * numSteps;
  const latents = (name: string) => ops.input(name, [rows, ...LATENT]);
  const perDraw = (name: string) => ops.input(name, [rows]);
  const none = ops.input("real_timestep", [rows]);
  const error = (side: string) =>
    squaredError(latents(`${side}_target`), denoiser(p)(latents(`${side}_xt`), none, none));
  const errors = {
    real: error("real"),
    realReference: perDraw("real_reference"),
    synthetic: error("synthetic"),
    syntheticReference: perDraw("synthetic_reference"),
  };
  const inside = ops.reshape(spinMargin(errors, perDraw("weight")), [trajectories, numSteps]);
  const margin = ops.reduceMean(inside, [1]);
  return { loss: ops.mean(ops.softplus(ops.neg(margin))), outputs: { margin } };
}

// Micro-batches of part of a trajectory, of one, of several, and of pieces that end within one.
test.each([
  [3, 6, 2],
  [3, 6, 6],
  [4, 3, 6],
  [4, 6, 8],
])(
  "two passes over %i trajectories of %i steps, %i draws at a time, have one pass's gradient",
  async (trajectories, numSteps, size) => {
    const rows = trajectories * numSteps;
    const all = draws(rows);
    const shapes = { batch: size, latent: LATENT, tokens: 1, width: 2 };
    const two = await Training.create((p) => buildObjective({ kind: "spin-exact" }, denoiser(p), shapes), initial);
    const one = await Training.create((p) => onePass(p, trajectories, numSteps), initial);
    const [whole] = await one.accumulate([all]);

    const microBatches = cut(all, rows, size);
    const perGroup = microBatchesPerGroup(size, numSteps);
    const losses: number[] = [];
    const margins: number[] = [];
    for (let i = 0; i < microBatches.length; i += perGroup) {
      const { loss, inside } = await addTrajectories(two, microBatches.slice(i, i + perGroup), numSteps);
      losses.push(loss);
      margins.push(...inside);
    }
    expect(losses.reduce((sum, loss) => sum + loss, 0) / losses.length).toBeCloseTo(whole!.loss![0]!, 6);
    margins.forEach((margin, i) => {
      expect(margin).toBeCloseTo(whole!.margin![i]!, 5);
    });
    for (const [name] of one.shapes) {
      const expected = one.gradient(name);
      const got = two.gradient(name).map((sum) => sum / microBatches.length);
      const norm = Math.hypot(...expected);
      expect(norm).toBeGreaterThan(1e-3);
      expect(Math.hypot(...expected.map((value, i) => value - got[i]!)) / norm).toBeLessThan(1e-5);
    }
    await one.release();
    await two.release();
  },
);

test("equation 4.9, on average over t, bounds equation 4.8 from above, with equality where every step says the same", () => {
  const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
  for (let round = 0; round < 500; round++) {
    const numSteps = 1 + stream.integer(60);
    const scale = 10 ** (4 * stream.uniform() - 2);
    const inside = normals(3 * numSteps).map((x) => scale * x);
    const approximate = mean(Array.from(inside, (z) => marginLossOf(LOGISTIC, z)));
    const exact = mean(Array.from(trajectoryMargins(inside, numSteps), (z) => marginLossOf(LOGISTIC, z)));
    expect(approximate).toBeGreaterThanOrEqual(exact - 1e-6 * scale);
    if (numSteps > 1 && scale > 1) expect(approximate).toBeGreaterThan(exact);
    const alike = new Float32Array(numSteps).fill(inside[0]!);
    const [margin] = trajectoryMargins(alike, numSteps);
    expect(marginLossOf(LOGISTIC, margin!)).toBeCloseTo(marginLossOf(LOGISTIC, inside[0]!), 5);
  }
});

test("the same holds of both graphs' losses on the same draws", async () => {
  const shapes = { batch: 4, latent: LATENT, tokens: 1, width: 2 };
  const approximate = await Training.create((p) => buildObjective({ kind: "spin" }, denoiser(p), shapes), initial);
  const exact = await Training.create((p) => buildObjective({ kind: "spin-exact" }, denoiser(p), shapes), initial);
  for (let round = 0; round < 10; round++) {
    const microBatches = cut(draws(8), 8, 4);
    const losses = (await approximate.accumulate(microBatches)).map(({ loss }) => loss![0]!);
    const { loss } = await addTrajectories(exact, microBatches, 4);
    expect((losses[0]! + losses[1]!) / 2).toBeGreaterThan(loss);
  }
  await approximate.release();
  await exact.release();
});

test("work that nobody waits for ends between two runs of the graph", async () => {
  const training = { evaluate: () => Promise.reject(new Error("ran")), add: () => Promise.reject(new Error("ran")) };
  const proceed = () => {
    throw new Error("given up");
  };
  await expect(addTrajectories(training, [{}], 2, proceed)).rejects.toThrow("given up");
});

test("the peak of memory at 50 steps is that at 5, within a tenth", async () => {
  const script = fileURLToPath(new URL("../../../test/support/exact-peak-memory.mjs", import.meta.url));
  const peak = async (numSteps: number) => {
    const { stdout } = await promisify(execFile)(process.execPath, [script, String(numSteps)]);
    return Number(stdout);
  };
  const [five, fifty] = [await peak(5), await peak(50)];
  expect(fifty / five).toBeLessThan(1.1);
}, 180_000);

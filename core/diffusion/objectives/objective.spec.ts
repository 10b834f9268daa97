import { SpinError } from "../../errors.js";
import * as ops from "../../graph/ops/index.js";
import { conv2d, linear } from "../../nn/layers.js";
import type { Parameters } from "../../nn/parameters.js";
import { Training } from "../../nn/training.js";
import { alphasCumprod } from "../noise-schedule.js";
import { createPhiloxStream } from "../philox.js";
import { samplingTimesteps } from "../timestep-spacing.js";
import { trajectorySteps } from "../trajectory.js";
import { type MarginLoss, marginLossOf } from "./margin-loss.js";
import { buildObjective, type Denoise, drawWeights, type ObjectiveForm, type ObjectiveSettings } from "./objective.js";
import type { SpinSettings, Trajectory } from "./spin-approximate.js";

const SHAPES = { batch: 2, latent: [3, 4, 4], tokens: 5, width: 6 } as const;
const { batch, latent, tokens, width } = SHAPES;
const LATENTS = batch * 48;
const PAIR_KINDS = ["spin", "spin-renoised", "dpo"] as const;

const stream = createPhiloxStream(7n, { iteration: 0, index: 0, purpose: 0 });
const normals = (count: number) => stream.normals(count);

/** A convolution, shifted by the timestep and by the mean text state: enough to notice swapped inputs. */
const denoiser =
  (p: Parameters): Denoise =>
  (xt, timestep, states) => {
    const count = xt.shape[0]!;
    const text = ops.reshape(ops.reduceMean(states, [1]), [count, width]);
    const shift = ops.add(linear(p.at("text"), text, 3), ops.reshape(ops.mul(timestep, 1e-3), [count, 1]));
    return ops.add(conv2d(p.at("conv"), xt, 3), ops.reshape(shift, [count, 3, 1, 1]));
  };

const createTraining = (kind: ObjectiveSettings["kind"]) =>
  Training.create(
    (p) => buildObjective({ kind }, denoiser(p), SHAPES),
    (_, shape) => normals(shape.reduce((a, b) => a * b, 1)).map((x) => x / 4),
  );

const feeds = () => ({
  real_xt: normals(LATENTS),
  real_target: normals(LATENTS),
  real_timestep: Float32Array.of(900, 10),
  synthetic_xt: normals(LATENTS),
  synthetic_target: normals(LATENTS),
  synthetic_timestep: Float32Array.of(900, 10),
  encoder_hidden_states: normals(batch * tokens * width),
  real_reference: Float32Array.of(1.5, 2),
  synthetic_reference: Float32Array.of(0.5, 3),
  weight: Float32Array.of(2, 0.25),
});

const values = (array: Float32Array | undefined) => Array.from(array!);

describe.each(PAIR_KINDS)("the objective %s", (kind) => {
  test("is the logistic loss of the weighted margin of both sides over the references", async () => {
    const training = await createTraining(kind);
    const given = feeds();
    const [out] = await training.accumulate([given]);
    const inside = [0, 1].map((i) => {
      const real = out!.real_error![i]! - given.real_reference[i]!;
      const synthetic = out!.synthetic_error![i]! - given.synthetic_reference[i]!;
      return -given.weight[i]! * (real - synthetic);
    });
    inside.forEach((expected, i) => {
      expect(out!.inside![i]).toBeCloseTo(expected, 5);
    });
    const loss = inside.reduce((sum, z) => sum + Math.log1p(Math.exp(-z)), 0) / batch;
    expect(out!.loss![0]).toBeCloseTo(loss, 5);
    await training.release();
  });

  test("is ln 2 without a margin where the references are the model's own errors", async () => {
    const training = await createTraining(kind);
    const given = feeds();
    const [first] = await training.accumulate([given]);
    const own = { real_reference: first!.real_error!, synthetic_reference: first!.synthetic_error! };
    const [out] = await training.accumulate([{ ...given, ...own }]);
    expect(values(out!.inside).map(Math.abs)).toEqual([0, 0]);
    expect(out!.loss![0]).toBe(Math.fround(Math.LN2));
    await training.release();
  });

  test("has the gradient that finite differences have", async () => {
    const training = await createTraining(kind);
    const given = feeds();
    const weights = training.weights.views.get("conv.weight")!;
    await training.accumulate([given]);
    const gradient = training.gradient("conv.weight").slice(0, 5);
    for (const [i, expected] of gradient.entries()) {
      const at = weights[i]!;
      const loss = async (shift: number) => {
        weights[i] = at + shift;
        return (await training.accumulate([given]))[0]!.loss![0]!;
      };
      const slope = ((await loss(1e-2)) - (await loss(-1e-2))) / 2e-2;
      weights[i] = at;
      expect(slope).toBeCloseTo(expected, 3);
    }
    await training.release();
  });
});

describe.each<[MarginLoss, number]>([
  [{ kind: "hinge" }, 1],
  [{ kind: "ipo", tau: 0.5 }, 1],
])("Diffusion-DPO with the loss %j", (loss, atZero) => {
  test("is that loss of the same margin, also without one", async () => {
    const create = (form: ObjectiveForm) =>
      Training.create(
        (p) => buildObjective(form, denoiser(p), SHAPES),
        (name, shape) => new Float32Array(shape.reduce((a, b) => a * b, 1)).fill(name.length / 100),
      );
    const [logistic, other] = [await create({ kind: "dpo" }), await create({ kind: "dpo", loss })];
    const given = feeds();
    const [[first], [second]] = [await logistic.accumulate([given]), await other.accumulate([given])];
    expect(values(second!.inside)).toEqual(values(first!.inside));
    const expected = values(second!.inside).reduce((sum, z) => sum + marginLossOf(loss, z), 0) / batch;
    expect(second!.loss![0]! / expected).toBeCloseTo(1, 5);
    const own = { real_reference: second!.real_error!, synthetic_reference: second!.synthetic_error! };
    const [begun] = await other.accumulate([{ ...given, ...own }]);
    expect(begun!.loss![0]).toBe(atZero);
    await logistic.release();
    await other.release();
  });
});

test("both sides see their own latents and timesteps and the same text states", async () => {
  const training = await createTraining("spin");
  const one = feeds();
  const swapped = {
    ...one,
    real_xt: one.synthetic_xt,
    real_target: one.synthetic_target,
    synthetic_xt: one.real_xt,
    synthetic_target: one.real_target,
    synthetic_timestep: Float32Array.of(500, 10),
  };
  const [a] = await training.accumulate([one]);
  const [b] = await training.accumulate([swapped]);
  expect(values(b!.real_error)).toEqual(values(a!.synthetic_error));
  expect(b!.synthetic_error![0]).not.toBe(a!.real_error![0]);
  expect(b!.synthetic_error![1]).toBe(a!.real_error![1]);
  await training.release();
});

test("pairs go through the model in one call of twice the batch", () => {
  const calls: (readonly number[])[] = [];
  const denoise: Denoise = (xt, timestep, states) => {
    calls.push(xt.shape, timestep.shape, states.shape);
    return xt;
  };
  buildObjective({ kind: "spin" }, denoise, SHAPES);
  expect(calls).toEqual([[4, ...latent], [4], [4, tokens, width]]);
});

test("sft is the mean error on the real side, and needs nothing else", async () => {
  const training = await createTraining("sft");
  const { real_xt, real_target, real_timestep, encoder_hidden_states } = feeds();
  const given = { real_xt, real_target, real_timestep, encoder_hidden_states };
  const [out] = await training.accumulate([given]);
  expect(new Set(Object.keys(out!))).toEqual(new Set(["loss", "real_error"]));
  expect(out!.loss![0]).toBeCloseTo((out!.real_error![0]! + out!.real_error![1]!) / 2, 6);
  await training.release();
});

describe("weights", () => {
  const SCHEDULE = {
    numTrainTimesteps: 1000,
    betaStart: 0.00085,
    betaEnd: 0.012,
    betaSchedule: "scaled_linear",
  } as const;
  const SPACING = { numTrainTimesteps: 1000, timestepSpacing: "leading", stepsOffset: 1 } as const;
  const trajectory = (eta: number): Trajectory => ({
    steps: trajectorySteps(alphasCumprod(SCHEDULE), samplingTimesteps(SPACING, 5), eta),
    targetType: "epsilon",
    latentSize: 48,
  });
  const weightAt = (settings: SpinSettings, timestep: number, eta = 1) =>
    drawWeights({ kind: "spin", ...settings }, () => trajectory(eta))(timestep);

  test("of a constant beta are beta on means of the model's output, kappa² of it on means of mu, C·H·W as much on sums", () => {
    const { kappa } = trajectory(1).steps[2]!;
    expect(weightAt({ beta: 7, errorSpace: "epsilon", reduction: "mean" }, 401)).toBe(7);
    expect(weightAt({ beta: 7, errorSpace: "mu", reduction: "mean" }, 401)).toBeCloseTo(7 * kappa ** 2, 12);
    expect(weightAt({ beta: 7, errorSpace: "epsilon", reduction: "sum" }, 401)).toBe(7 * 48);
  });

  test("of lambda grow as 1/sigma², T steps together", () => {
    const { sigma, kappa } = trajectory(1).steps[4]!;
    const expected = ((0.5 * 5) / (2 * sigma ** 2)) * kappa ** 2;
    expect(weightAt({ beta: { lambda: 0.5 }, errorSpace: "mu", reduction: "mean" }, 1)).toBeCloseTo(expected, 10);
  });

  test("of v-prediction take v's factor", () => {
    const { kappaV } = trajectory(1).steps[0]!;
    const from = () => ({ ...trajectory(1), targetType: "v_prediction" as const });
    const weights = drawWeights({ kind: "spin", beta: 2, errorSpace: "mu", reduction: "mean" }, from);
    expect(weights(801)).toBeCloseTo(2 * kappaV ** 2, 12);
  });

  test("of lambda are refused where a step adds no noise", () => {
    const settings = { beta: { lambda: 1 }, errorSpace: "mu", reduction: "sum" } as const;
    expect(() => weightAt(settings, 801, 0)).toThrow(SpinError);
    expect(() => weightAt(settings, 801, 0)).toThrow("eta above 0");
  });

  test.each(["spin-renoised", "dpo"] as const)("of %s are half of beta, whatever the trajectory", (kind) => {
    const none = () => {
      throw new Error("asked for a trajectory");
    };
    expect(drawWeights({ kind, beta: 5000 }, none)(333)).toBe(2500);
  });
});

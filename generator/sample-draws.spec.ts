import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { alphasCumprod } from "../core/diffusion/noise-schedule.js";
import { createPhiloxStream } from "../core/diffusion/philox.js";
import { originalForm } from "../core/diffusion/prediction.js";
import { trajectorySteps } from "../core/diffusion/trajectory.js";
import type { TextConditions } from "../core/runtime/conditions.js";
import type { FloatTensor } from "../core/runtime/float-tensor.js";
import { Pipeline } from "../core/runtime/pipeline.js";
import { TINY_LATENT, writeTinyModel } from "../test/support/tiny-model.js";
import type { BatchInputs, DrawJob, DrawSide, Draws, FrozenModel } from "./draws.js";
import { sampleDraws } from "./sample-draws.js";

const SIZE = 256;
const CAPTIONS = ["a red heart", "a blue square", "a woman scientist", ""];

let folder: string;
let pipeline: Pipeline;
let allStates: FloatTensor;
let unconditional: TextConditions;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "spin-draws-"));
  await writeTinyModel(`${folder}/tiny`);
  pipeline = await Pipeline.load(`${folder}/tiny`, { threads: 1 });
  allStates = (await pipeline.encodePrompts(CAPTIONS)).states;
  unconditional = await pipeline.encodePrompts([""]);
});
afterAll(async () => {
  await pipeline.release();
  await rm(folder, { recursive: true });
});

const model = (scheduler: object = {}): FrozenModel => ({
  scheduler: { ...pipeline.model.scheduler!, ...scheduler },
  denoise: (...args) => pipeline.denoise(...args),
  denoiser: (...args) => pipeline.denoiser(...args),
  sample: (options) => pipeline.sample(options),
});
const trajectory: DrawJob = {
  form: "trajectory",
  seed: 5n,
  iteration: 1,
  firstIndex: 0,
  drawsPerSample: 5,
  timestepRule: "all",
  sampler: { kind: "ddim", numSteps: 5, eta: 1, guidanceScale: 2 },
};
const renoised: DrawJob = { ...trajectory, form: "renoised", drawsPerSample: 3, timestepRule: "stratified" };
const realOnly: DrawJob = { ...renoised, form: "realOnly", sampler: undefined };
const pair: DrawJob = { ...realOnly, form: "pair" };

/** Samples `first` to `first + count - 1` of four; each has its latents and caption by its index. */
function inputs(first = 0, count = 4): BatchInputs {
  const latents = (purpose: number) => {
    const rows = Array.from({ length: count }, (_, i) =>
      createPhiloxStream(99n, { iteration: 0, index: first + i, purpose }).normals(SIZE),
    );
    return { shape: [count, ...TINY_LATENT], data: Float32Array.from(rows.flatMap((row) => [...row])) };
  };
  const row = allStates.data.length / 4;
  const states = {
    shape: [count, ...allStates.shape.slice(1)],
    data: allStates.data.slice(first * row, (first + count) * row),
  };
  return { real: latents(0), other: latents(1), states, unconditional };
}

const rowOf = (data: Float32Array, row: number) => data.subarray(row * SIZE, (row + 1) * SIZE);
const furthest = (a: ArrayLike<number>, b: ArrayLike<number>) =>
  Array.from(a).reduce((most, x, i) => Math.max(most, Math.abs(x - b[i]!)), 0);
const combined = (a: Float32Array, x: number, b: Float32Array, y: number) => a.map((value, i) => x * value + y * b[i]!);

/** θ_k's prediction at one draw, evaluated by itself. */
function predict(side: DrawSide, row: number, timestep: number, sample: number): Promise<Float32Array> {
  const states = inputs(sample, 1).states;
  const latents = { shape: [1, ...TINY_LATENT], data: rowOf(side.noisyLatents, row).slice() };
  return pipeline.denoise(latents, Float32Array.of(timestep), { states });
}

async function recomputedErrors(draws: Draws, side: DrawSide, drawsPerSample: number): Promise<number[]> {
  const errors: number[] = [];
  for (const [row, timestep] of draws.timesteps.entries()) {
    const output = await predict(side, row, timestep, Math.floor(row / drawsPerSample));
    const target = rowOf(side.target, row);
    errors.push(target.reduce((sum, x, i) => sum + (x - output[i]!) ** 2, 0) / SIZE);
  }
  return errors;
}

describe.each([
  ["trajectory", trajectory],
  ["trajectory, uniform choice", { ...trajectory, timestepRule: "uniform", drawsPerSample: 3 } as DrawJob],
  [
    "trajectory without guidance or noise",
    { ...trajectory, sampler: { ...trajectory.sampler!, eta: 0, guidanceScale: 1 } },
  ],
  ["renoised", renoised],
  ["renoised by PNDM", { ...renoised, sampler: { kind: "pndm", numSteps: 4, guidanceScale: 1 } } as DrawJob],
  ["real only", realOnly],
  ["pair", pair],
])("%s", (_, job) => {
  it("gives the same bits twice", async () => {
    expect(await sampleDraws(model(), job, inputs())).toEqual(await sampleDraws(model(), job, inputs()));
  });

  it("gives a sample the same draws whatever samples are beside it", async () => {
    const all = await sampleDraws(model(), job, inputs());
    const alone = await sampleDraws(model(), { ...job, firstIndex: 2 }, inputs(2, 1));
    const draws = job.drawsPerSample;
    const part = <T extends Float32Array | Int32Array>(values: T | undefined) => {
      const row = (values?.length ?? 0) / (4 * draws);
      return Array.from(values?.slice(2 * draws * row, 3 * draws * row) ?? []);
    };
    expect(part(all.timesteps)).toEqual([...alone.timesteps]);
    expect(part(all.previousTimesteps)).toEqual([...(alone.previousTimesteps ?? [])]);
    for (const side of ["real", "synthetic"] as const) {
      for (const field of ["noisyLatents", "target", "referenceError"] as const) {
        const [some, one] = [part(all[side]?.[field]), alone[side]?.[field] ?? []];
        expect(some).toHaveLength(one.length);
        expect(furthest(some, one)).toBeLessThan(2e-4);
      }
    }
  });

  it("has e_k that a recomputation finds too", async () => {
    const draws = await sampleDraws(model(), job, inputs());
    for (const side of [draws.real, draws.synthetic]) {
      if (side?.referenceError === undefined) continue;
      const expected = await recomputedErrors(draws, side, job.drawsPerSample);
      for (const [row, error] of side.referenceError.entries()) {
        expect(Math.abs(error - expected[row]!)).toBeLessThan(1e-5 * Math.max(1, expected[row]!));
      }
    }
  });

  it("gives other draws for another seed, iteration or index", async () => {
    const { real } = await sampleDraws(model(), job, inputs());
    for (const change of [{ seed: 6n }, { iteration: 2 }, { firstIndex: 4 }]) {
      const other = await sampleDraws(model(), { ...job, ...change }, inputs());
      expect(furthest(other.real.noisyLatents, real.noisyLatents)).toBeGreaterThan(0.1);
    }
  });
});

describe("trajectories", () => {
  const steps = () => trajectorySteps(alphasCumprod(pipeline.model.scheduler!), [801, 601, 401, 201, 1], 1);

  it("stand on the sampler's steps, noisiest first, each with the next", async () => {
    const { timesteps, previousTimesteps } = await sampleDraws(model(), trajectory, inputs(0, 1));
    expect([...timesteps]).toEqual([801, 601, 401, 201, 1]);
    expect([...previousTimesteps!]).toEqual([601, 401, 201, 1, -1]);
  });

  it("step from one state to the next by what their targets say: x_{t-1} = mu + kappa (target - prediction)", async () => {
    const draws = await sampleDraws(model(), trajectory, inputs(0, 1));
    for (const side of [draws.real, draws.synthetic!]) {
      for (const [row, step] of steps().slice(0, 4).entries()) {
        const [x, target] = [rowOf(side.noisyLatents, row), rowOf(side.target, row)];
        const output = await predict(side, row, step.timestep, 0);
        const form = originalForm("epsilon", step.abar);
        const clean = combined(x, form.sample, output, form.output);
        const direction = Math.sqrt(1 - step.abarPrev - step.sigma ** 2);
        const mean = combined(clean, Math.sqrt(step.abarPrev), output, direction);
        const difference = combined(target, step.kappa, output, -step.kappa);
        const next = combined(mean, 1, difference, 1);
        expect(furthest(next, rowOf(side.noisyLatents, row + 1))).toBeLessThan(1e-4);
      }
    }
  });

  it("on the real side are the image with noise that fades", async () => {
    const { real } = await sampleDraws(model(), trajectory, inputs(0, 1));
    const image = inputs(0, 1).real.data;
    const distances = steps().map((_, row) => furthest(rowOf(real.noisyLatents, row), image));
    expect(distances.at(-1)).toBeLessThan(0.2);
    expect(distances[0]).toBeGreaterThan(1);
  });

  it("have an error of zero where the sampler applied the bare prediction and no noise", async () => {
    const sampler = { ...trajectory.sampler!, eta: 0, guidanceScale: 1 };
    const { synthetic } = await sampleDraws(model(), { ...trajectory, sampler }, inputs());
    expect([...synthetic!.referenceError!]).toEqual(new Array(20).fill(0));
  });

  it("are walked no further than a draw asks for, and end when the caller has had enough", async () => {
    const runs: number[] = [];
    const early = { ...trajectory, timestepRule: "uniform", drawsPerSample: 1 } as const;
    const { timesteps } = await sampleDraws(model(), early, inputs(0, 1), (samples) => runs.push(samples));
    const walked = [801, 601, 401, 201, 1].indexOf(timesteps[0]!) + 1;
    expect(runs).toEqual(new Array(walked + 1).fill(2));
    let left = 3;
    const enough = () => {
      if (--left === 0) throw new Error("enough");
    };
    await expect(sampleDraws(model(), trajectory, inputs(), enough)).rejects.toThrow("enough");
  });
});

describe("forms that noise again", () => {
  const abar = () => alphasCumprod(pipeline.model.scheduler!);
  const cleanOf = (draws: Draws, side: DrawSide, row: number) => {
    const a = abar()[draws.timesteps[row]!]!;
    return combined(rowOf(side.noisyLatents, row), 1 / Math.sqrt(a), rowOf(side.target, row), -Math.sqrt((1 - a) / a));
  };

  it("noise both sides of a draw alike, and each draw differently", async () => {
    const draws = await sampleDraws(model(), renoised, inputs());
    expect(draws.real.target).toEqual(draws.synthetic!.target);
    expect(furthest(rowOf(draws.real.target, 0), rowOf(draws.real.target, 1))).toBeGreaterThan(1);
    expect(draws.previousTimesteps).toBeUndefined();
  });

  it("hold the given images, and the sampled one is the same in every draw", async () => {
    const low = { ...renoised, drawsPerSample: 20 };
    const draws = await sampleDraws(model(), low, inputs(0, 1));
    const losers = await sampleDraws(model(), { ...pair, drawsPerSample: 20 }, inputs(0, 1));
    const readable = [...draws.timesteps.keys()].filter((row) => draws.timesteps[row]! < 300);
    expect(readable.length).toBeGreaterThan(2);
    const sampled = cleanOf(draws, draws.synthetic!, readable[0]!);
    for (const row of readable) {
      expect(furthest(cleanOf(draws, draws.real, row), inputs(0, 1).real.data)).toBeLessThan(1e-4);
      expect(furthest(cleanOf(draws, draws.synthetic!, row), sampled)).toBeLessThan(
        1e-4 * (1 + furthest(sampled, new Float32Array(SIZE))),
      );
      expect(furthest(cleanOf(losers, losers.synthetic!, row), inputs(0, 1).other!.data)).toBeLessThan(1e-4);
    }
  });

  it("of real images alone evaluate no model", async () => {
    let runs = 0;
    const draws = await sampleDraws(model(), realOnly, inputs(), () => void runs++);
    expect(runs).toBe(0);
    expect(draws.synthetic).toBeUndefined();
    expect(draws.real.referenceError).toBeUndefined();
  });

  it("take velocities for targets where the model predicts them", async () => {
    const noise = await sampleDraws(model(), realOnly, inputs(0, 1));
    const velocity = await sampleDraws(model({ predictionType: "v_prediction" }), realOnly, inputs(0, 1));
    const a = abar()[noise.timesteps[0]!]!;
    const expected = combined(rowOf(noise.real.target, 0), Math.sqrt(a), inputs(0, 1).real.data, -Math.sqrt(1 - a));
    expect(furthest(rowOf(velocity.real.target, 0), expected)).toBeLessThan(1e-5);
  });

  it("choose a timestep in each interval when stratified", async () => {
    const { timesteps } = await sampleDraws(model(), { ...realOnly, drawsPerSample: 4 }, inputs());
    expect([...timesteps].map((t) => Math.floor(t / 250))).toEqual([0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3]);
  });
});

test("a model that predicts the clean sample is refused", async () => {
  await expect(sampleDraws(model({ predictionType: "sample" }), realOnly, inputs())).rejects.toMatchObject({
    kind: "precondition",
  });
});

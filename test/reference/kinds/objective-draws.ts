import { alphasCumprod, type BetaSchedule } from "../../../core/diffusion/noise-schedule.js";
import { referenceErrors } from "../../../core/diffusion/objectives/reference-errors.js";
import {
  realTarget,
  realTrajectory,
  renoisedDraw,
  syntheticStep,
  syntheticTarget,
  type TargetType,
  type TrajectoryStep,
} from "../../../core/diffusion/trajectory.js";
import { Pipeline } from "../../../core/runtime/pipeline.js";
import type { CaseTensor, ReferenceCase } from "../cases.js";

/** What the training graph is fed of one side, per draw. */
export interface Side {
  readonly xt: Float32Array;
  readonly target: Float32Array;
  /** e_k, [B]; empty where there is no reference. */
  readonly reference: Float32Array;
}

/** ᾱ of the case's schedule. */
export function abarOf(reference: ReferenceCase): Float32Array {
  const { betas } = reference.parameters as unknown as {
    readonly betas: { readonly beta_schedule: BetaSchedule; readonly beta_start: number; readonly beta_end: number };
  };
  return alphasCumprod({
    numTrainTimesteps: 1000,
    betaStart: betas.beta_start,
    betaEnd: betas.beta_end,
    betaSchedule: betas.beta_schedule,
  });
}

/** θ_k, as the generator runs it: predictions for a batch at timesteps [B] under the case's text states. */
async function frozenModel(reference: ReferenceCase, shape: readonly number[]) {
  const pipeline = await Pipeline.load(reference.model("theta_k"));
  const { shape: statesShape } = await reference.tensor("in.states");
  const states = { shape: statesShape, data: await reference.floats("in.states") };
  return {
    predict: (xt: Float32Array, timesteps: Float32Array) =>
      pipeline.denoise({ shape, data: xt }, timesteps, { states }),
    /** Guided, where the case says so, and with the states alone. */
    sampler: async () => {
      const { guidance: scale } = reference.parameters as unknown as { readonly guidance: number };
      if (scale === 1) return pipeline.denoiser({ states }, shape);
      const uncond = { shape: statesShape, data: await reference.floats("in.uncond") };
      return pipeline.denoiser({ states, guidance: { states: uncond, scale } }, shape);
    },
    release: () => pipeline.release(),
  };
}

/** Both sides of the re-noised form: one timestep and one noise for winner and loser. */
export async function renoisedSides(reference: ReferenceCase): Promise<{ real: Side; synthetic: Side }> {
  const { shape } = await reference.tensor("in.winner");
  const timesteps = Float32Array.from((await reference.tensor("in.t")).data as Int32Array);
  const model = await frozenModel(reference, shape);
  const side = async (name: string): Promise<Side> => {
    const { xt, target } = await renoised(reference, name, "epsilon");
    const prediction = await model.predict(xt, timesteps);
    return { xt, target, reference: referenceErrors(target, prediction, timesteps.length) };
  };
  const sides = { real: await side("in.winner"), synthetic: await side("in.loser") };
  await model.release();
  return sides;
}

/** x_t and target of a batch of latents, each at its own timestep. */
export async function renoised(
  reference: ReferenceCase,
  name: string,
  type: TargetType,
): Promise<Omit<Side, "reference">> {
  const abar = abarOf(reference);
  const [x0, noise] = [await reference.floats(name), await reference.floats("in.noise")];
  const t = (await reference.tensor("in.t")).data as Int32Array;
  const size = x0.length / t.length;
  const xt = new Float32Array(x0.length);
  const target = new Float32Array(x0.length);
  for (const [i, timestep] of t.entries()) {
    const row = (values: Float32Array) => values.subarray(i * size, (i + 1) * size);
    const draw = renoisedDraw(row(x0), row(noise), abar[timestep]!, type);
    xt.set(draw.sample, i * size);
    target.set(draw.target, i * size);
  }
  return { xt, target };
}

/** A side of every trajectory: states x_T … x_0, and what the graph is fed at each step. */
export interface Walk {
  readonly states: readonly Float32Array[];
  readonly sides: readonly Side[];
}

/** The real trajectories and θ_k's own, N together, with the noise that the case gives. */
export async function walkTrajectories(
  reference: ReferenceCase,
  steps: readonly TrajectoryStep[],
): Promise<{ real: Walk; synthetic: Walk }> {
  const { shape } = await reference.tensor("in.x0");
  const x0 = await reference.floats("in.x0");
  const model = await frozenModel(reference, shape);
  const batch = shape[0]!;
  const predict = (xt: Float32Array, step: TrajectoryStep) =>
    model.predict(xt, new Float32Array(batch).fill(step.timestep));

  const zReal = stepsOf(await reference.tensor("in.z_real"));
  const states = realTrajectory(x0, await reference.floats("in.noise_real"), zReal, steps);
  const real: Side[] = [];
  for (const [i, step] of steps.entries()) {
    const xt = states[i]!;
    const target = realTarget(xt, x0, zReal[i]!, step, "epsilon");
    real.push({ xt, target, reference: referenceErrors(target, await predict(xt, step), batch) });
  }

  const zSynthetic = stepsOf(await reference.tensor("in.z_synthetic"));
  const own = [await reference.floats("in.noise_synthetic")];
  const synthetic: Side[] = [];
  const sampler = await model.sampler();
  for (const [i, step] of steps.entries()) {
    const xt = own[i]!;
    const { guided, conditional } = await sampler(xt, step.timestep);
    const target = syntheticTarget(guided, zSynthetic[i]!, step, "epsilon");
    synthetic.push({ xt, target, reference: referenceErrors(target, conditional, batch) });
    own.push(syntheticStep(xt, guided, zSynthetic[i]!, step, "epsilon"));
  }
  await model.release();
  return { real: { states, sides: real }, synthetic: { states: own, sides: synthetic } };
}

/** [N, T, ...] as T arrays of [N, ...]. */
function stepsOf({ shape, data }: CaseTensor): Float32Array[] {
  const [batch, count] = shape as [number, number];
  const size = data.length / (batch * count);
  return Array.from({ length: count }, (_, i) => {
    const out = new Float32Array(batch * size);
    for (let n = 0; n < batch; n++) {
      out.set((data as Float32Array).subarray((n * count + i) * size, (n * count + i + 1) * size), n * size);
    }
    return out;
  });
}

/** Row n of the array `choice[n]`: each sample at a step of its own. */
export function pickRows(arrays: readonly Float32Array[], choice: readonly number[]): Float32Array {
  const size = arrays[0]!.length / choice.length;
  const out = new Float32Array(arrays[0]!.length);
  for (const [n, at] of choice.entries()) out.set(arrays[at]!.subarray(n * size, (n + 1) * size), n * size);
  return out;
}

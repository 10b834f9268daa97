import { alphasCumprod } from "../core/diffusion/noise-schedule.js";
import { samplingTimesteps } from "../core/diffusion/timestep-spacing.js";
import {
  realState,
  realStep,
  realTarget,
  syntheticStep,
  syntheticTarget,
  type TrajectoryStep,
  trajectorySteps,
} from "../core/diffusion/trajectory.js";
import { SpinError } from "../core/errors.js";
import {
  type BatchInputs,
  type BeforeRun,
  conditionsOf,
  type DrawJob,
  type Draws,
  type FrozenModel,
  samplesPerRun,
  targetType,
} from "./draws.js";
import { batchNormals, noiseStream, PURPOSE } from "./noise-purposes.js";
import { meanSquare, referenceErrors } from "./reference-errors.js";
import { choosePositions } from "./timestep-choice.js";

/**
 * Draws of the objective on trajectories (SPIN-Diffusion, equations 4.8 and 4.9): both trajectories are walked once, as far as the least noisy
 * step that a draw asks for, and their states are kept where a draw stands. e_k of the synthetic side comes from the
 * sampler's own evaluation, that of the real side from evaluations of its own; where an earlier opponent walks the synthetic trajectory, so
 * does that of the synthetic side.
 */
export async function trajectoryDraws(
  model: FrozenModel,
  job: DrawJob,
  inputs: BatchInputs,
  beforeRun: BeforeRun,
  opponent: FrozenModel,
): Promise<Draws> {
  const { sampler, firstIndex, drawsPerSample } = job;
  if (sampler === undefined) throw new SpinError("internal", "a trajectory needs a sampler");
  const type = targetType(model.scheduler);
  const steps = samplerSteps(model, sampler);
  const { shape, data: x0 } = inputs.real;
  const numSamples = shape[0]!;
  const size = x0.length / numSamples;
  const rows = numSamples * drawsPerSample;
  const rowsAtStep = chooseSteps(job, numSamples, steps.length);

  const draws = {
    timesteps: new Int32Array(rows),
    previousTimesteps: new Int32Array(rows),
    real: { noisyLatents: new Float32Array(rows * size), target: new Float32Array(rows * size) },
    synthetic: { noisyLatents: new Float32Array(rows * size), target: new Float32Array(rows * size) },
  };
  const syntheticErrors = new Float32Array(rows);
  const normals = (purpose: number) => batchNormals(job, firstIndex, numSamples, size, purpose);
  const noNoise = new Float32Array(x0.length); // σ = 0 at η = 0, whatever z is.
  const denoiser = opponent.denoiser(conditionsOf(job, inputs), shape);

  let real = realState(x0, normals(PURPOSE.realStart), steps[0]!);
  let synthetic = normals(PURPOSE.syntheticStart);
  const last = rowsAtStep.findLastIndex((atStep) => atStep.length > 0);
  for (const [i, step] of steps.slice(0, last + 1).entries()) {
    const zReal = step.sigma > 0 ? normals(PURPOSE.realStep + i) : noNoise;
    const zSynthetic = step.sigma > 0 ? normals(PURPOSE.syntheticStep + i) : noNoise;
    beforeRun(samplesPerRun(job, numSamples));
    const { guided, conditional } = await denoiser(synthetic, step.timestep);
    if (rowsAtStep[i]!.length > 0) {
      const targetOfReal = realTarget(real, x0, zReal, step, type);
      const targetOfSynthetic = syntheticTarget(guided, zSynthetic, step, type);
      for (const row of rowsAtStep[i]!) {
        const sample = Math.floor(row / drawsPerSample);
        const of = (batch: Float32Array) => batch.subarray(sample * size, (sample + 1) * size);
        draws.timesteps[row] = step.timestep;
        draws.previousTimesteps[row] = step.timestepPrev;
        draws.real.noisyLatents.set(of(real), row * size);
        draws.real.target.set(of(targetOfReal), row * size);
        draws.synthetic.noisyLatents.set(of(synthetic), row * size);
        draws.synthetic.target.set(of(targetOfSynthetic), row * size);
        syntheticErrors[row] = meanSquare(of(targetOfSynthetic), of(conditional));
      }
    }
    real = realStep(real, x0, zReal, step);
    synthetic = syntheticStep(synthetic, guided, zSynthetic, step, type);
  }
  const perRun = samplesPerRun(job, numSamples);
  const asked = opponent === model ? [draws.real] : [draws.real, draws.synthetic];
  const errors = await referenceErrors(model, asked, draws.timesteps, inputs, perRun, beforeRun);
  return {
    ...draws,
    real: { ...draws.real, referenceError: errors[0]! },
    synthetic: { ...draws.synthetic, referenceError: errors[1] ?? syntheticErrors },
  };
}

function samplerSteps({ scheduler }: FrozenModel, sampler: NonNullable<DrawJob["sampler"]>): TrajectoryStep[] {
  return trajectorySteps(alphasCumprod(scheduler), samplingTimesteps(scheduler, sampler.numSteps), sampler.eta ?? 0);
}

/** Rows (sample-major) of the draws that stand at each step. */
function chooseSteps(job: DrawJob, numSamples: number, numSteps: number): number[][] {
  const { firstIndex, drawsPerSample, timestepRule } = job;
  const rowsAtStep: number[][] = Array.from({ length: numSteps }, () => []);
  for (let sample = 0; sample < numSamples; sample++) {
    const stream = noiseStream(job, firstIndex + sample, PURPOSE.timesteps);
    const positions = choosePositions(timestepRule, drawsPerSample, numSteps, stream);
    for (const [draw, step] of positions.entries()) rowsAtStep[step]!.push(sample * drawsPerSample + draw);
  }
  return rowsAtStep;
}

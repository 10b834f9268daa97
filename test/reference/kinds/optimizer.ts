import { type LearningRateSchedule, learningRate } from "../../../core/diffusion/learning-rate.js";
import { AdamW, clipFactor } from "../../../core/nn/adamw.js";
import { emaDecay, updateAverage } from "../../../core/nn/ema.js";
import { flatTensors, totalSize } from "../../../core/nn/flat-tensors.js";
import type { CaseTensor, ReferenceCase } from "../cases.js";
import type { CaseResult } from "../judge.js";

export async function run(reference: ReferenceCase): Promise<CaseResult> {
  if ("schedules" in reference.parameters) return rateSchedules(reference);
  return "decay" in reference.parameters ? movingAverages(reference) : adamw(reference);
}

interface RateParameters {
  readonly base: number;
  readonly total: number;
  readonly schedules: readonly { readonly name: LearningRateSchedule; readonly warmup: number }[];
}

/** The rates of each schedule, one per update from the first to the one at the horizon. */
function rateSchedules(reference: ReferenceCase): CaseResult {
  const { base, total, schedules } = reference.parameters as unknown as RateParameters;
  const rates = schedules.map(({ name, warmup }) =>
    Array.from({ length: total + 1 }, (_, step) =>
      learningRate(name, { base, warmupSteps: warmup, scheduleSteps: total }, step),
    ),
  );
  return { values: Object.fromEntries(rates.map((row, i) => [`rates.${i}`, row])) };
}

interface AdamWParameters {
  readonly steps: number;
  readonly clip_norm: number | null;
  readonly schedule: { readonly name: LearningRateSchedule; readonly warmup: number; readonly total: number } | null;
  readonly lr: number;
  readonly betas: readonly [number, number];
  readonly eps: number;
  readonly weight_decay: number;
}

/** Updates with given gradients: the parameters after each, and the moments after the last. */
async function adamw(reference: ReferenceCase): Promise<CaseResult> {
  const parameters = reference.parameters as unknown as AdamWParameters;
  const { steps, clip_norm, schedule, lr, betas, eps, weight_decay: weightDecay } = parameters;
  const prefix = "in.param.";
  const names = reference.inputs.filter((name) => name.startsWith(prefix)).map((name) => name.slice(prefix.length));
  const shapes = new Map<string, readonly number[]>();
  for (const name of names) shapes.set(name, (await reference.tensor(prefix + name)).shape);
  const optimizer = new AdamW(totalSize(shapes));
  const [weights, gradients] = [flatTensors(shapes, optimizer.parameters), flatTensors(shapes, optimizer.gradients)];
  for (const [name, view] of weights.views) view.set(await reference.floats(prefix + name));

  const tensors: Record<string, CaseTensor> = {};
  const keep = (label: string, data: Float32Array) => {
    let start = 0;
    for (const [name, view] of weights.views) {
      tensors[`out.${label}.${name}`] = { shape: shapes.get(name)!, data: data.slice(start, start + view.length) };
      start += view.length;
    }
  };
  const norms: number[] = [];
  const rates: number[] = [];
  for (let step = 0; step < steps; step++) {
    for (const [name, view] of gradients.views) view.set(await reference.floats(`in.grad.${step}.${name}`));
    norms.push(optimizer.gradientNorm());
    rates.push(
      schedule === null
        ? lr
        : learningRate(schedule.name, { base: lr, warmupSteps: schedule.warmup, scheduleSteps: schedule.total }, step),
    );
    const options = { learningRate: rates[step]!, betas, eps, weightDecay };
    optimizer.update(weights.data, gradients.data, options, clipFactor(norms[step]!, clip_norm ?? undefined));
    keep(`param.${step}`, weights.data);
  }
  keep("exp_avg", optimizer.expAvg);
  keep("exp_avg_sq", optimizer.expAvgSq);
  return { tensors, values: { gradient_norm: norms, learning_rates: rates } };
}

/** Averages of a parameter that takes given values, with a constant decay and with one that warms up. */
async function movingAverages(reference: ReferenceCase): Promise<CaseResult> {
  const { decay } = reference.parameters as unknown as { readonly decay: number };
  const start = await reference.floats("in.start");
  const { shape } = await reference.tensor("in.values");
  const values = await reference.floats("in.values");
  const decays = Array.from({ length: shape[0]! }, (_, i) => emaDecay(decay, i + 1));
  const averages = (decayAt: (i: number) => number): CaseTensor => {
    const average = start.slice();
    const data = new Float32Array(values.length);
    for (let i = 0; i < shape[0]!; i++) {
      updateAverage(average, values.subarray(i * start.length, (i + 1) * start.length), decayAt(i));
      data.set(average, i * start.length);
    }
    return { shape, data };
  };
  return {
    tensors: { "out.constant": averages(() => decay), "out.warm": averages((i) => decays[i]!) },
    values: { decays },
  };
}

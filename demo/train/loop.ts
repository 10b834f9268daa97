import { appendFile, mkdir } from "node:fs/promises";
import { dirname } from "node:path";
import { learningRate } from "../../core/diffusion/learning-rate.js";
import type { TensorData } from "../../core/graph/session.js";
import { ADAMW_DEFAULTS } from "../../core/nn/adamw.js";
import type { Training } from "../../core/nn/training.js";
import { loadProgress, saveProgress } from "./progress-file.js";

export interface LoopOptions {
  readonly name: string;
  readonly steps: number;
  readonly learningRate: number;
  readonly warmupSteps: number;
  /** Decay of the moving average of the weights, which is what a stage ends with. */
  readonly emaDecay: number;
  readonly validateEvery: number;
  /** Where losses are appended (JSON lines). */
  readonly log: string;
  /** Where the loop's whole state is kept, to go on after an interruption. */
  readonly resume: string;
}

/** What a stage of training is, beside its graph. */
export interface Stage {
  readonly training: Training;
  batch(step: number): Readonly<Record<string, TensorData>>;
  /** Figures on held-out data, of the weights it is given. */
  validate(weights: ReadonlyMap<string, Float32Array>): Promise<Readonly<Record<string, number>>>;
}

/** Trains a stage to its end, from where an earlier run stopped; returns the averaged weights. */
export async function trainStage(stage: Stage, options: LoopOptions): Promise<ReadonlyMap<string, Float32Array>> {
  const { training } = stage;
  const ema = new Float32Array(training.weights.data);
  await mkdir(dirname(options.log), { recursive: true });
  const first = await loadProgress(options.resume, training, ema);
  const started = performance.now();
  let sum = 0;
  for (let step = first; step < options.steps; step++) {
    const schedule = { base: options.learningRate, warmupSteps: options.warmupSteps, scheduleSteps: options.steps };
    const update = { ...ADAMW_DEFAULTS, learningRate: learningRate("cosine", schedule, step), maxNorm: 1 };
    const { outputs } = await training.step([stage.batch(step)], update);
    average(ema, training.weights.data, Math.min(options.emaDecay, (1 + step) / (10 + step)));
    sum += outputs[0]!.loss![0]!;
    if ((step + 1) % options.validateEvery === 0 || step + 1 === options.steps) {
      const validation = await stage.validate(named(training, ema));
      const record = { stage: options.name, step: step + 1, loss: sum / options.validateEvery, ...validation };
      sum = 0;
      await appendFile(options.log, `${JSON.stringify(record)}\n`);
      await saveProgress(options.resume, training, ema, step + 1);
      const seconds = (performance.now() - started) / 1000;
      const left = (seconds / (step + 1 - first)) * (options.steps - step - 1);
      process.stderr.write(`${JSON.stringify(record)} ${seconds.toFixed(0)} s, ${left.toFixed(0)} s left\n`);
    }
  }
  return named(training, ema);
}

function average(ema: Float32Array, weights: Float32Array, decay: number): void {
  for (let i = 0; i < ema.length; i++) ema[i] = decay * ema[i]! + (1 - decay) * weights[i]!;
}

/** Views of a flat array under the parameters' names. */
function named(training: Training, flat: Float32Array): ReadonlyMap<string, Float32Array> {
  const { views } = training.weights;
  return new Map(
    [...views].map(([name, view]) => [name, flat.subarray(view.byteOffset / 4, view.byteOffset / 4 + view.length)]),
  );
}

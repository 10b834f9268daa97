import { z } from "zod";
import { SAMPLER_NAMES } from "../../core/diffusion/pipeline-sampler.js";
import type { CheckpointRef } from "../../proto/gen/spin/v1/checkpoint.js";

export const OBJECTIVES = ["spin", "spin-exact", "spin-renoised", "sft", "dpo"] as const;
export const TIMESTEP_RULES = ["uniform", "stratified", "all"] as const;
export const RATE_SCHEDULES = ["constant", "linear", "cosine"] as const;
export const PRECISIONS = ["float32", "float16", "bfloat16"] as const;
export const DPO_LOSSES = ["sigmoid", "hinge", "ipo"] as const;

const wholeNumber = (min: number, max: number) => {
  const expected = `a whole number from ${min} to ${max}`;
  return z.int(expected).min(min, expected).max(max, expected);
};
const decimal = (min: number, max: number) => {
  const expected = `a number from ${min} to ${max}`;
  return z.number(expected).min(min, expected).max(max, expected);
};
const positive = z.number("a number above 0").positive("a number above 0");
const steps = wholeNumber(0, 1_000_000);

/** What the command line says of a setting: the placeholder of its value, and what it is for. */
const of = (value: string, description: string) => ({ value, description });

/**
 * What one iteration does; every iteration of a run does the same. The one list of these settings: `run` makes its options of it, and
 * recipes are read with it.
 */
export const iterationSettings = z.strictObject({
  steps: wholeNumber(1, 1_000_000).default(50).meta(of("count", "optimiser steps of an iteration")),
  batch: wholeNumber(1, 65_536).default(8).meta(of("count", "samples per optimiser step")),
  gradientAccumulation: wholeNumber(1, 65_536)
    .optional()
    .meta(of("count", "batches of --batch samples summed up in each step; default: 1")),
  objective: z.enum(OBJECTIVES).default("spin-renoised").meta(of("name", "what is minimised")),
  beta: positive.default(5000).meta(of("value", "weight of the margin")),
  lambda: positive
    .optional()
    .meta(of("value", "spin: λ of β_t = λT/2σ_t² in place of a constant β; spin-exact: λ of w_t = λ/2σ_t², required")),
  errorSpace: z
    .enum(["epsilon", "mu"])
    .default("epsilon")
    .meta(of("space", "spin, spin-exact: where errors are measured")),
  reduction: z.enum(["mean", "sum"]).default("mean").meta(of("how", "spin, spin-exact: norm over C, H, W")),
  dpoLoss: z.enum(DPO_LOSSES).optional().meta(of("name", "dpo: loss of the margin; default: sigmoid")),
  ipoTau: positive.optional().meta(of("value", "dpo with ipo: τ, the margin aims at 1/2τ; default: 0.1")),
  learningRate: positive.default(1e-5).meta(of("value", "highest learning rate of AdamW")),
  weightDecay: decimal(0, 100).default(0.01).meta(of("value", "decoupled weight decay")),
  maxGradNorm: decimal(0, 1e9).default(1).meta(of("value", "clip gradients to this norm; 0: never")),
  schedule: z.enum(RATE_SCHEDULES).default("constant").meta(of("kind", "of the learning rate")),
  warmup: steps.default(0).meta(of("count", "steps of linear warm-up")),
  scheduleSteps: steps.default(0).meta(of("count", "horizon of the decay; 0: --steps")),
  precision: z
    .enum(PRECISIONS)
    .optional()
    .meta(of("type", "what products are computed in; default: float32; bfloat16 on CUDA alone")),
  emaDecay: decimal(0, 1).optional().meta(of("share", "publish moving averages with this decay, as 0.9999")),
  loraRank: wholeNumber(1, 4096).optional().meta(of("rank", "train a LoRA of this rank; default: all weights")),
  loraAlpha: positive.optional().meta(of("value", "its alpha; default: the rank")),
  loraTargets: z
    .array(z.string().min(1, "names between commas"), "names between commas")
    .readonly()
    .optional()
    .meta(of("names", "layers, as to_q,ff.net.2; default: to_q,to_k,to_v,to_out.0")),
  draws: wholeNumber(1, 1000).default(1).meta(of("count", "draws from each sample; spin-exact: one of every step")),
  timesteps: z.enum(TIMESTEP_RULES).default("stratified").meta(of("rule", "of the draws; spin-exact: all")),
  microBatch: wholeNumber(0, 65_536_000)
    .default(0)
    .meta(of("count", "draws put through the graph at once; 0: all, spin-exact: at most 8")),
  samplingSteps: wholeNumber(1, 1000).default(50).meta(of("count", "sampling steps of the opponent")),
  sampler: z.enum(SAMPLER_NAMES).optional().meta(of("name", "spin-renoised: the opponent's sampler; default: ddim")),
  eta: decimal(0, 1).default(0).meta(of("share", "η of its DDIM; above 0 for λ and for spin-exact")),
  guidance: decimal(1, 100).default(7.5).meta(of("scale", "its classifier-free guidance; 1: none")),
  earlierShare: decimal(0, 1)
    .optional()
    .meta(of("share", "synthetic samples drawn by the opponents of earlier iterations; default: 0")),
  samplingBatch: wholeNumber(1, 256).optional().meta(of("count", "samples computed together; a divisor of --batch")),
  promptDropout: decimal(0, 1).default(0).meta(of("share", "chance of the empty caption")),
  crop: z.enum(["center", "random"]).default("center").meta(of("where", "square cut from each image")),
  flip: decimal(0, 1).default(0).meta(of("share", "chance of a mirrored image")),
  resolution: wholeNumber(0, 4096).default(0).meta(of("pixels", "side of the images; 0: the model's own")),
  checkpointInterval: steps.default(0).meta(of("count", "steps between checkpoints; 0: at the end")),
  divergenceStop: z.boolean().optional().meta(of("", "end an iteration that diverges, naming the signal")),
  divergencePatience: wholeNumber(1, 10_000)
    .optional()
    .meta(of("count", "steps in a row that a signal must show; default: 5")),
  divergenceMargin: positive
    .optional()
    .meta(of("value", "margin that counts as soaring while both errors rise; default: 3")),
  divergenceErrorRise: positive
    .optional()
    .meta(of("share", "by which both errors must exceed the opponent's then; default: 0.1")),
  divergenceRealErrorRise: positive
    .optional()
    .meta(of("share", "by which the real error alone may exceed the opponent's; default: 0.5")),
});

export type IterationSettings = Readonly<z.output<typeof iterationSettings>>;

/** A run, every iteration of which does the same. */
export interface RunSettings extends IterationSettings {
  readonly base: CheckpointRef;
  readonly dataset: string;
  readonly split: string;
  readonly seed: bigint;
  /** K. */
  readonly iterations: number;
}

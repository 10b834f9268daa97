import { toIterationSpec } from "../run/iteration-spec.js";
import type { IterationSettings } from "../run/settings.js";

/** What an iteration costs, by counting. */
export interface IterationCounts {
  readonly steps: number;
  /** Samples that are drawn from the data: real pictures. */
  readonly samples: number;
  /** Of these with a picture sampled by θ_k beside the real one. */
  readonly synthetic: number;
  /** Pictures that the UNet is evaluated on in the generator, sampling and errors of θ_k. */
  readonly generatorEvaluations: number;
  /** Pictures that the trainer's UNet sees, forward and backward. */
  readonly trainerEvaluations: number;
  /** Samples at once in the generator's runs of the UNet. */
  readonly samplingRun: number;
  /** Draws put through the trainer's graph at once. */
  readonly microBatch: number;
  /** Micro-batches of all steps. */
  readonly microBatches: number;
  /** One side (SFT), or two. */
  readonly sides: 1 | 2;
  /** Bytes of draws from generators to trainer. */
  readonly wireBytes: number;
}

/** Sizes of a model that bytes follow from. */
export interface ModelSizes {
  /** [C, H, W] */
  readonly latent: readonly [number, number, number];
  /** Floats of a caption's condition. */
  readonly condition: number;
}

const BYTES = 4;
/** Timesteps, errors and framing of a draw. */
const DRAW_OVERHEAD = 24;

/** What the settings of an iteration amount to; the spec that goes to the trainer decides. */
export function countIteration(settings: IterationSettings, { latent, condition }: ModelSizes): IterationCounts {
  const spec = toIterationSpec(settings, "plan");
  const { batchSize: samplingBatch, drawsPerSample: draws, sampler } = spec.sampling!;
  const form = spec.objective!.$case;
  const samples = spec.numSteps * spec.batchSize;
  const guided = sampler !== undefined && sampler.guidanceScale !== 1;
  const sides = form === "sft" ? 1 : 2;
  // θ_k's errors: both sides where pictures are noised again; on a trajectory the sampler has the synthetic one's, unless it is guided by
  // more than the caption, whose conditional half it has too.
  const errors = form === "sft" ? 0 : form === "spin" || form === "spinExact" ? draws : 2 * draws;
  const sampling = sampler === undefined ? 0 : sampler.numSteps * (guided ? 2 : 1);
  const passes = form === "spinExact" ? 2 : 1;
  const microBatch = spec.microBatchSize || spec.batchSize * draws;
  const elements = latent[0] * latent[1] * latent[2];
  return {
    steps: spec.numSteps,
    samples,
    synthetic: sampler === undefined ? 0 : samples,
    generatorEvaluations: samples * (sampling + errors),
    trainerEvaluations: samples * draws * sides * passes,
    samplingRun: samplingBatch * (guided ? 2 : 1),
    microBatch,
    microBatches: (samples * draws) / microBatch,
    sides,
    wireBytes: samples * (BYTES * (draws * sides * 2 * elements + condition) + draws * DRAW_OVERHEAD),
  };
}

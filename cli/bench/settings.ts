import type { Device } from "../../core/graph/device.js";
import type { TrainingPrecision } from "../../core/nn/training.js";

/** What is measured. */
export const BENCHMARKS = ["unet", "sample", "step", "iteration"] as const;
export type BenchmarkName = (typeof BENCHMARKS)[number];

export interface BenchSettings {
  /** Folder with `unet/` and `scheduler/`. */
  readonly model: string;
  /** B: pictures at once; of training, examples on each side. */
  readonly batch: number;
  /** Sampling steps of `sample`, optimiser steps of `iteration`. */
  readonly steps: number;
  /** Sampling steps of the trajectories that `iteration` draws from. */
  readonly samplingSteps: number;
  /** What `iteration` learns from: steps of trajectories, or finished samples noised again. */
  readonly form: "trajectory" | "renoised";
  /** Its real side: latents and text states, or picture files and captions to be encoded. */
  readonly inputs: "latents" | "pictures";
  /** w of classifier-free guidance in sampling; 1: none. */
  readonly guidance: number;
  /** Height and width of the latents; default: those that the model was made for. */
  readonly latents?: number;
  /** Length of the text states. */
  readonly tokens: number;
  /** Measured repetitions, after one that is not. */
  readonly repeats: number;
  /** Threads within one operator; default: one per core. */
  readonly threads?: number;
  /** In what the UNet's products are computed; default: float32. */
  readonly precision?: TrainingPrecision;
  /** `step`, `iteration`: MiB for training, by estimate, as the trainer's setting has it; no limit where absent. */
  readonly memoryBudgetMb?: number;
  /** Where it computes; default: the CPU. */
  readonly device?: Device;
  /**
   * θ_k in the optimiser step of `step`: evaluated beside θ, as Diffusion-DPO's scripts do, or its errors given with the draws, as
   * this project's trainer runs it.
   */
  readonly reference: "evaluated" | "given";
  /** `step`, `iteration`: trains a LoRA of this rank on the attention projections; else all weights. */
  readonly lora?: number;
  /** File for a table of the time that each operator takes. */
  readonly profile?: string;
}

import type { BenchmarkName } from "../../cli/bench/settings.js";

/** Command-line options by name; undefined ones are left out. */
export type Flags = Readonly<Record<string, string | number | undefined>>;

/** What is to be reached; absent where nothing was set. */
export interface Goals {
  /** PyTorch's time over ours, at least. */
  readonly time?: number;
  /** Our peak memory over PyTorch's, at most. */
  readonly memory?: number;
}

/** One line of the table: what is set beside what. */
export interface Case {
  /** For `--only`. */
  readonly id: string;
  readonly name: string;
  readonly bench: BenchmarkName;
  /** Of both sides. */
  readonly flags: Flags;
  /** Of this project's side alone. */
  readonly here?: Flags;
  /** Of PyTorch's side alone. */
  readonly torch?: Flags;
  readonly goals: Goals;
}

export interface CaseSettings {
  /** B: pictures at once; of training, examples on each side. */
  readonly batch: number;
  /** Of a picture, and of a trajectory. */
  readonly samplingSteps: number;
  /** Optimiser steps of an iteration. */
  readonly steps: number;
}

const FORWARD = { time: 1.3 };
const SAMPLING = { time: 1.3, memory: 0.9 };
/** θ_k in the step on both sides. */
const SAME_STEP = { time: 1.1 };
/** The trainer as it runs here, without θ_k, beside a step with it. */
const TRAINER_STEP = { time: 1.4, memory: 0.8 };
const LORA_RANK = 8;

/** All that can be compared, in the order of the table. */
export function allCases({ batch, samplingSteps, steps }: CaseSettings): readonly Case[] {
  const pairs = `${batch} + ${batch} examples`;
  const lora = { batch, lora: LORA_RANK };
  const iteration = { batch, steps, "sampling-steps": samplingSteps };
  const size = `${batch} × ${steps} samples of ${samplingSteps} steps, ${steps} optimiser steps`;
  const pictures = { ...iteration, form: "renoised", inputs: "pictures" };
  return [
    {
      id: "forward-1",
      name: "UNet forward, batch 1",
      bench: "unet",
      flags: { batch: 1 },
      goals: FORWARD,
    },
    { id: "forward", name: `UNet forward, batch ${batch}`, bench: "unet", flags: { batch }, goals: FORWARD },
    {
      id: "sample",
      name: `sampling with guidance, batch ${batch}, ${samplingSteps} DDIM steps`,
      bench: "sample",
      flags: { batch, steps: samplingSteps },
      goals: SAMPLING,
    },
    {
      id: "step",
      name: `SPIN step, ${pairs}, θ_k in the step on both sides`,
      bench: "step",
      flags: { batch },
      goals: SAME_STEP,
    },
    {
      id: "step-given",
      name: `SPIN step, ${pairs}, here without θ_k, PyTorch with it`,
      bench: "step",
      flags: { batch },
      here: { reference: "given" },
      goals: TRAINER_STEP,
    },
    {
      id: "lora-step",
      name: `LoRA SPIN step, rank ${LORA_RANK}, ${pairs}, θ_k in the step on both sides`,
      bench: "step",
      flags: lora,
      goals: SAME_STEP,
    },
    {
      id: "lora-step-given",
      name: `LoRA SPIN step, rank ${LORA_RANK}, ${pairs}, here without θ_k, PyTorch with it`,
      bench: "step",
      flags: lora,
      here: { reference: "given" },
      goals: TRAINER_STEP,
    },
    {
      id: "iteration-disk",
      name: `iteration, ${size}; PyTorch: pictures to disk and encoded again, θ_k in the step`,
      bench: "iteration",
      flags: pictures,
      torch: { samples: "disk" },
      goals: { time: 1.5 },
    },
    {
      id: "iteration-memory",
      name: `iteration, ${size}; PyTorch: latents in memory, θ_k in the step`,
      bench: "iteration",
      flags: pictures,
      goals: { time: 1.2 },
    },
    {
      id: "iteration-trajectory",
      name: `iteration on trajectories, ${size}; PyTorch: latents in memory, θ_k in the step`,
      bench: "iteration",
      flags: iteration,
      goals: { time: 1.2 },
    },
  ];
}

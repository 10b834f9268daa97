import type { Measured } from "./simulate.js";

export interface Scenario {
  readonly name: string;
  readonly source: string;
  readonly measured: Measured;
}

const GIGABIT = 125e6;
const SSD = 500e6;
const FLOAT_BYTES = 4;

/** Bytes of a sample's draw: x_t and the target of both sides, and the caption's states. */
const drawBytes = (latent: number, text: number) => FLOAT_BYTES * (4 * latent + text);

/** What `node bench/compare.mjs` told of this side, in seconds, two threads each; `batch` samples, `steps` of DDIM with guidance. */
interface Bench {
  readonly batch: number;
  readonly sample: number;
  readonly steps: number;
  readonly forward: number;
  readonly step: number;
}
const BASE: Bench = { batch: 8, sample: 1.989, steps: 20, forward: 0.0605, step: 0.499 };
const QUARTER: Bench = { batch: 4, sample: 14.69, steps: 12, forward: 0.583, step: 4.83 };
const SD15: Bench = { batch: 1, sample: 30.33, steps: 2, forward: 7.19, step: 39.3 };

/** A batch's sampling with so many steps, and e_k of both sides. */
const batchOf = ({ sample, steps, forward }: Bench, samplingSteps = steps) =>
  (sample * samplingSteps) / steps + 2 * forward;

const COMMON = {
  batchesPerStep: 1,
  networkBytesPerSecond: GIGABIT,
  diskBytesPerSecond: SSD,
  loadSeconds: 0,
  buildSeconds: 0,
  steps: 500,
  lanes: 2,
};

const SD15_BATCH = 8;
/** How much faster than two cores of a CPU. */
const FASTER = 1000;
const SD15_ON_GPUS: Measured = {
  ...COMMON,
  batchSeconds: (SD15_BATCH * batchOf(SD15, 50)) / FASTER,
  stepSeconds: (SD15_BATCH * SD15.step) / FASTER,
  batchBytes: SD15_BATCH * drawBytes(4 * 64 * 64, 77 * 768),
  checkpointBytes: 3.4e9,
};

/** Where times come from, and what is assumed. */
export const SCENARIOS: readonly Scenario[] = [
  {
    name: "The built-in model, batch 8, on 2-core machines",
    source:
      "Measured (`compare.mjs base`): 20 guided steps of 8 samples in 1.99 s, an evaluation in 0.06 s, a step on 8 + 8 examples in 0.50 s; assumed: 1 Gbit/s, a disk of 500 MB/s",
    measured: {
      ...COMMON,
      batchSeconds: batchOf(BASE),
      stepSeconds: BASE.step,
      batchBytes: BASE.batch * drawBytes(4 * 16 * 16, 16 * 96),
      checkpointBytes: 4.5e6 * FLOAT_BYTES,
    },
  },
  {
    name: "SD-1.5 at a quarter of its width, 32 × 32, batch 4, on 2-core machines",
    source:
      "Measured (`compare.mjs quarter`): 12 guided steps of 4 samples in 14.7 s, an evaluation in 0.58 s, a step on 4 + 4 examples in 4.83 s; assumed: 1 Gbit/s, a disk of 500 MB/s",
    measured: {
      ...COMMON,
      batchSeconds: batchOf(QUARTER),
      stepSeconds: QUARTER.step,
      batchBytes: QUARTER.batch * drawBytes(4 * 32 * 32, 77 * 192),
      checkpointBytes: 54e6 * FLOAT_BYTES,
    },
  },
  {
    name: "SD-1.5, LoRA of rank 8, 50 sampling steps, batch 1, on 2-core machines",
    source:
      "Measured (`compare.mjs sd15`): 15.2 s for a guided sampling step, 7.19 s for an evaluation, 39.3 s for a step on 1 + 1 examples; assumed: 1 Gbit/s, a disk of 500 MB/s",
    measured: {
      ...COMMON,
      batchSeconds: batchOf(SD15, 50),
      stepSeconds: SD15.step,
      batchBytes: drawBytes(4 * 64 * 64, 77 * 768),
      checkpointBytes: 3.4e9,
    },
  },
  {
    name: "The same on GPUs, batch 8, over 1 Gbit/s",
    source:
      "Assumed: a thousand times as fast a sample as measured above; every generator fetches 3.4 GB when the iteration begins",
    measured: SD15_ON_GPUS,
  },
  {
    name: "The same over 10 Gbit/s",
    source: "Assumed as before",
    measured: { ...SD15_ON_GPUS, networkBytesPerSecond: 10 * GIGABIT },
  },
];

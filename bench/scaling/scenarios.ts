import type { Measured } from "./simulate.js";

export interface Scenario {
  readonly name: string;
  readonly source: string;
  readonly measured: Measured;
}

const MEASURED: Measured = {
  // 20 DDIM steps of 4 samples, 0.191 s for an evaluation of one, and one evaluation of the real side each.
  batchSeconds: 21 * 4 * 0.191,
  stepSeconds: 3.63,
  // Per sample: x_t and target of both sides (4 × 32 × 32 floats each), 77 × 768 floats of the caption.
  batchBytes: 4 * 4 * (4 * 4 * 32 * 32 + 77 * 768),
  batchesPerStep: 1,
  networkBytesPerSecond: 125e6,
  checkpointBytes: 78e6 * 4,
  diskBytesPerSecond: 500e6,
  steps: 500,
  lanes: 2,
};

/** Where times come from, and what is assumed. */
export const SCENARIOS: readonly Scenario[] = [
  {
    name: "UNet of 78 M parameters at 32 × 32, batch 4, on 2-core machines",
    source:
      "sampling 16.0 s a batch, from the 0.191 s measured for an evaluation, and 3.63 s measured for a step; assumed: 1 Gbit/s, a disk of 500 MB/s, a checkpoint of 312 MB",
    measured: MEASURED,
  },
  {
    name: "The same, a hundred times as fast, four draws from each sample",
    source: "assumed: what GPUs would make of it over the same network and disk, with four times the draws' bytes",
    measured: {
      ...MEASURED,
      batchSeconds: MEASURED.batchSeconds / 100,
      stepSeconds: MEASURED.stepSeconds / 100,
      batchBytes: 4 * MEASURED.batchBytes,
      steps: 2000,
    },
  },
  {
    name: "The same again, with a checkpoint of 3.4 GB",
    source: "assumed: Stable Diffusion 1.5's size, 500 steps; every generator fetches it when the iteration begins",
    measured: {
      ...MEASURED,
      batchSeconds: MEASURED.batchSeconds / 100,
      stepSeconds: MEASURED.stepSeconds / 100,
      batchBytes: 4 * MEASURED.batchBytes,
      checkpointBytes: 3.4e9,
      networkBytesPerSecond: 1.25e9,
    },
  },
];

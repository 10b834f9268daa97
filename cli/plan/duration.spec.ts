import { iterationSettings } from "../run/settings.js";
import { countIteration } from "./counts.js";
import { iterationSeconds } from "./duration.js";
import type { ProbeResult } from "./probe.js";

const SIZES = { latent: [4, 32, 32], condition: 77 * 32 } as const;
const countsOf = (change: object) =>
  countIteration(iterationSettings.parse({ steps: 4, batch: 8, samplingSteps: 10, guidance: 1, ...change }), SIZES);
const PROBE: ProbeResult = {
  unetRun: { together: 2, alone: 1 },
  microBatch: { together: 3, alone: 2 },
  setup: 5,
  encode: 0,
  generatorBytes: 0,
  trainerBytes: 0,
};

test("where sampling takes longer, training is over before, and the rest is sampled alone", () => {
  const counts = { ...countsOf({}), generatorEvaluations: 320, samplingRun: 8, microBatches: 4 };
  // 40 runs: 10 alone, 30 while 4 micro-batches of 3 s are trained: 60 s, of which 48 are left at half the time.
  expect(iterationSeconds(counts, PROBE, 0)).toBe(5 + 10 + 12 + 24);
});

test("where training takes longer, it ends alone", () => {
  const counts = { ...countsOf({}), generatorEvaluations: 32, samplingRun: 8, microBatches: 10 };
  // 4 runs: 1 alone, 3 in 6 s; 30 s of micro-batches, of which 24 are left at two thirds of the time.
  expect(iterationSeconds(counts, PROBE, 0)).toBe(5 + 1 + 6 + 16);
});

test("pictures are encoded once, and by the generator", () => {
  const counts = { ...countsOf({}), samples: 32, generatorEvaluations: 0, microBatches: 4 };
  const seconds = (size: number | undefined) => iterationSeconds(counts, { ...PROBE, encode: 1 }, size);
  expect(seconds(4)).toBe(5 + 1 + 3 + 6);
  expect(seconds(undefined)).toBe(5 + 8 + 12 + 12 * 0.5);
});

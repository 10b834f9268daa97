import type { IterationCounts } from "./counts.js";
import type { ProbeResult } from "./probe.js";

/**
 * How long an iteration takes, in seconds. The first step's pictures are sampled while the trainer waits; then both work at the same time, at
 * the pace that they leave each other, until one of them is done, and the other goes on alone. A picture is encoded once.
 * @param size items of the data set that are not encoded yet; undefined: as many as the iteration takes
 */
export function iterationSeconds(
  { samples, generatorEvaluations, samplingRun, microBatches, steps }: IterationCounts,
  { unetRun, microBatch, encode, setup }: ProbeResult,
  size: number | undefined,
): number {
  const encoding = Math.min(samples, size ?? samples) * encode;
  const runs = generatorEvaluations / samplingRun;
  const firstStep = (runs * unetRun.alone + encoding) / steps;
  const left = 1 - 1 / steps;
  const generating = left * (runs * unetRun.together + encoding);
  const training = microBatches * microBatch.together;
  const both = Math.min(generating, training);
  const pace = generating > training ? unetRun : microBatch;
  const alone = (Math.max(generating, training) - both) * (pace.alone / pace.together);
  return setup + firstStep + both + alone;
}

import type { ProcessSample } from "./process-sample.js";

export type Measure = keyof ProcessSample;
export const MEASURES: readonly Measure[] = ["resident", "handles", "threads", "children"];

/** How a measure went over the iterations behind the warm-up. */
export interface Growth {
  readonly measure: Measure;
  readonly first: number;
  readonly last: number;
  readonly least: number;
  readonly most: number;
  /** Per iteration. */
  readonly slope: number;
  /** More than this is growth. */
  readonly bound: number;
  readonly grows: boolean;
}

/**
 * What may be added each iteration: an iteration's record and where its events and its checkpoint lie stay in memory, some KiB. Of handles,
 * threads and processes nothing.
 */
export const BOUNDS: Readonly<Record<Measure, number>> = { resident: 64, handles: 0.02, threads: 0.02, children: 0.02 };

/** @param samples one an iteration, those of the warm-up left out */
export function growthOf(
  samples: readonly ProcessSample[],
  bounds: Readonly<Record<Measure, number>> = BOUNDS,
): Growth[] {
  return MEASURES.map((measure) => {
    const values = samples.map((sample) => sample[measure]);
    const slope = medianSlope(values);
    const bound = bounds[measure];
    return {
      measure,
      first: values[0]!,
      last: values.at(-1)!,
      least: Math.min(...values),
      most: Math.max(...values),
      slope,
      bound,
      grows: slope > bound,
    };
  });
}

/**
 * The median of the slopes between all pairs of values (Theil 1950, Sen 1968): steps that garbage collection makes, up or down, move it little.
 * @param values at 0, 1, 2 …; of fewer than two it is 0
 */
export function medianSlope(values: readonly number[]): number {
  const slopes: number[] = [];
  for (const [i, value] of values.entries()) {
    for (let j = i + 1; j < values.length; j++) slopes.push((values[j]! - value) / (j - i));
  }
  slopes.sort((a, b) => a - b);
  const middle = slopes.length >> 1;
  if (slopes.length === 0) return 0;
  return slopes.length % 2 === 1 ? slopes[middle]! : (slopes[middle - 1]! + slopes[middle]!) / 2;
}

/** The figures of the services as a table in Markdown. */
export function formatGrowth(services: ReadonlyMap<string, readonly Growth[]>): string {
  const rows = [...services].flatMap(([service, all]) =>
    all.map(({ measure, first, last, least, most, slope, bound, grows }) => {
      const names = { resident: "resident memory, KiB", handles: "handles", threads: "threads", children: "processes" };
      const verdict = grows ? "grows" : "does not grow";
      return `| ${service} | ${names[measure]} | ${first} | ${last} | ${least} – ${most} | ${slope.toFixed(3)} | ${bound} | ${verdict} |`;
    }),
  );
  const head = [
    "| service | what | first | last | range | per iteration | bound | |",
    "| --- | --- | --- | --- | --- | --- | --- | --- |",
  ];
  return `${[...head, ...rows].join("\n")}\n`;
}

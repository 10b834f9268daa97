import { median } from "../../cli/bench/benchmark.js";

/**
 * How an iteration's services were told of a collector: not at all, or of one that behaves so. "again" is "none" once more: how far apart equal
 * iterations are.
 */
export const SITUATIONS = ["none", "again", "takes", "stopped", "refuses", "slow", "resets"] as const;
export type Situation = (typeof SITUATIONS)[number];

/** One iteration. */
export interface Measured {
  readonly round: number;
  readonly situation: Situation;
  /** From the iteration's start to its end. */
  readonly seconds: number;
  /** That the event loops of trainer and generator were at work meanwhile: whatever telemetry does, it does there. */
  readonly loopSeconds: number;
  /** Of the weights that came out. */
  readonly digest: string;
  /** Requests that reached the collector. */
  readonly requests: number;
}

/** What a situation costs beside none, over all rounds. */
export interface Cost {
  readonly situation: Situation;
  readonly seconds: number;
  /** Median over rounds of the time beside that of "none" in the same round. */
  readonly ratio: number;
  /** Smallest and largest of these. */
  readonly range: readonly [number, number];
  /** Median over rounds of what the event loops worked more than with "none" in the same round, beside the time of that iteration. */
  readonly loopShare: number;
  readonly loopRange: readonly [number, number];
  readonly requests: number;
  /** Whether every iteration ended in the weights that those without a collector ended in. */
  readonly isSame: boolean;
}

/** @param all with "none" in every round */
export function costs(all: readonly Measured[]): Cost[] {
  const base = new Map(all.filter(({ situation }) => situation === "none").map((one) => [one.round, one]));
  const digests = new Set([...base.values()].map(({ digest }) => digest));
  return SITUATIONS.flatMap((situation) => {
    const own = all.filter((one) => one.situation === situation && base.has(one.round));
    if (own.length === 0) return [];
    const ratios = own.map((one) => one.seconds / base.get(one.round)!.seconds);
    const loop = own.map((one) => (one.loopSeconds - base.get(one.round)!.loopSeconds) / base.get(one.round)!.seconds);
    return {
      situation,
      seconds: median(own.map(({ seconds }) => seconds)),
      ratio: median(ratios),
      range: [Math.min(...ratios), Math.max(...ratios)] as const,
      loopShare: median(loop),
      loopRange: [Math.min(...loop), Math.max(...loop)] as const,
      requests: median(own.map(({ requests }) => requests)),
      isSame: digests.size === 1 && own.every(({ digest }) => digests.has(digest)),
    };
  });
}

/** As Markdown. */
export function formatCosts(rounds: number, all: readonly Cost[]): string {
  const three = (value: number) => value.toFixed(3);
  const percent = (value: number) => `${(100 * value).toFixed(2)} %`;
  const rows = all.map(({ situation, seconds, ratio, range, loopShare, loopRange, requests, isSame }) => {
    const cells = [
      situation,
      seconds.toFixed(2),
      `${three(ratio)} (${range.map(three).join(" to ")})`,
      `${percent(loopShare)} (${loopRange.map(percent).join(" to ")})`,
      Math.round(requests),
      isSame ? "the same" : "OTHER",
    ];
    return `| ${cells.join(" | ")} |`;
  });
  return [
    `Medians of ${rounds} rounds; in brackets the smallest and the largest.`,
    "",
    "| collector | s | time beside none | more work of the event loops, of that time | requests | weights |",
    "|---|---|---|---|---|---|",
    ...rows,
  ].join("\n");
}

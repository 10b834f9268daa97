import { median } from "../../cli/bench/benchmark.js";
import type { CollectorMode } from "./fake-collector.js";

/** How an iteration's services were told of a collector: not at all, or of one that behaves so. */
export type Situation = "none" | CollectorMode;

export const SITUATIONS: readonly Situation[] = ["none", "takes", "stopped", "refuses", "slow", "resets"];

/** One iteration. */
export interface Measured {
  readonly round: number;
  readonly situation: Situation;
  /** From the iteration's start to its end. */
  readonly seconds: number;
  /** That trainer and generator computed meanwhile, on all cores. */
  readonly processorSeconds: number;
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
  readonly processorRatio: number;
  readonly processorRange: readonly [number, number];
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
    const processor = own.map((one) => one.processorSeconds / base.get(one.round)!.processorSeconds);
    return {
      situation,
      seconds: median(own.map(({ seconds }) => seconds)),
      ratio: median(ratios),
      range: [Math.min(...ratios), Math.max(...ratios)] as const,
      processorRatio: median(processor),
      processorRange: [Math.min(...processor), Math.max(...processor)] as const,
      requests: median(own.map(({ requests }) => requests)),
      isSame: digests.size === 1 && own.every(({ digest }) => digests.has(digest)),
    };
  });
}

/** As Markdown. */
export function formatCosts(rounds: number, all: readonly Cost[]): string {
  const three = (value: number) => value.toFixed(3);
  const rows = all.map(({ situation, seconds, ratio, range, processorRatio, processorRange, requests, isSame }) => {
    const cells = [
      situation,
      seconds.toFixed(2),
      `${three(ratio)} (${range.map(three).join(" to ")})`,
      `${three(processorRatio)} (${processorRange.map(three).join(" to ")})`,
      Math.round(requests),
      isSame ? "the same" : "OTHER",
    ];
    return `| ${cells.join(" | ")} |`;
  });
  return [
    `Medians of ${rounds} rounds; in brackets the smallest and the largest.`,
    "",
    "| collector | s | time beside none | processor time beside none | requests | weights |",
    "|---|---|---|---|---|---|",
    ...rows,
  ].join("\n");
}

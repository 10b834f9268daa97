import { formatSeconds } from "../../cli/progress.js";
import type { Case } from "./cases.js";
import type { Measurement } from "./measure.js";

const SIDES = ["here", "torch"] as const;
export type Side = (typeof SIDES)[number];

/** What the rounds found of one case. */
export interface Found {
  readonly of: Case;
  readonly here: readonly Measurement[];
  readonly torch: readonly Measurement[];
  /** Why there is no more of it. */
  readonly failure?: string;
}

interface Run {
  readonly round: number;
  readonly of: Case;
  readonly side: Side;
}

/**
 * Both sides of every case by turns, the whole list in each round and the other side first in every other, so that a machine that grows
 * warm or busy does so for both. A case that fails is left out from then on.
 *
 * @param measure runs one side of a case
 * @param tell is told a line after each run: what came out, and how long the rest will take; and all that is known by then
 * @param now milliseconds
 */
export async function runRounds(
  cases: readonly Case[],
  rounds: number,
  measure: (of: Case, side: Side) => Promise<Measurement>,
  tell: (line: string, found: readonly Found[]) => Promise<void> | void,
  now: () => number = () => performance.now(),
): Promise<Found[]> {
  const found = new Map(cases.map((of) => [of.id, emptyOf(of)]));
  const durations = new Map<string, number>();
  let pending = schedule(cases, rounds);
  const total = pending.length;
  for (let run = pending.shift(); run !== undefined; run = pending.shift()) {
    const { of, side, round } = run;
    const entry = found.get(of.id)!;
    const started = now();
    let outcome: string;
    try {
      const measured = await measure(of, side);
      entry[side].push(measured);
      outcome = `${measured.ms.toFixed(1)} ms, ${Math.round(measured.peak_rss_mb)} MiB`;
    } catch (error) {
      entry.failure = error instanceof Error ? error.message : String(error);
      pending = pending.filter((one) => one.of !== of);
      outcome = `failed: ${entry.failure}`;
    }
    durations.set(keyOf(run), now() - started);
    const left = timeLeft(pending.map(keyOf), durations);
    const position = `${total - pending.length}/${total} round ${round}, ${of.id}, ${side === "here" ? "here" : "PyTorch"}`;
    await tell(`${position}: ${outcome}; ${formatSeconds(left / 1000)} left`, [...found.values()]);
  }
  return [...found.values()];
}

function emptyOf(of: Case): { of: Case; here: Measurement[]; torch: Measurement[]; failure?: string } {
  return { of, here: [], torch: [] };
}

/** All runs in order. */
function schedule(cases: readonly Case[], rounds: number): Run[] {
  return Array.from({ length: rounds }, (_, i) => {
    const sides = i % 2 === 0 ? SIDES : SIDES.toReversed();
    return cases.flatMap((of) => sides.map((side) => ({ round: i + 1, of, side })));
  }).flat();
}

const keyOf = ({ of, side }: Run): string => `${of.id} ${side}`;

/** Milliseconds that runs will take: as long as the last time, and what has not run yet as long as the others on the average. */
export function timeLeft(pending: readonly string[], durations: ReadonlyMap<string, number>): number {
  const mean = [...durations.values()].reduce((sum, one) => sum + one, 0) / Math.max(1, durations.size);
  return pending.reduce((sum, key) => sum + (durations.get(key) ?? mean), 0);
}

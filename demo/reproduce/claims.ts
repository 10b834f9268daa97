import type { PairFigures } from "./over-seeds.js";

/** A claim of the paper, in small: that a is better than b. */
export interface Claim {
  readonly claim: string;
  readonly a: string;
  readonly b: string;
}

/** What a pair's win rate says of a claim: its interval is above one half, below it, or has it inside. */
export type Verdict = "held" | "reversed" | "not told apart";

/** Checkpoints by role; the steps behind a name are those since the base. */
export const CLAIMS: readonly Claim[] = [
  { claim: "iteration 1 beats SFT at equal steps", a: "spin-1", b: "sft-1x" },
  { claim: "iteration 1 beats SFT at its best", a: "spin-1", b: "sft" },
  { claim: "iteration 2 beats the base", a: "spin-2", b: "base" },
  { claim: "iteration 2 beats SFT at its best", a: "spin-2", b: "sft" },
  { claim: "iteration 2 beats Diffusion-DPO at its best", a: "spin-2", b: "dpo" },
  { claim: "iteration 3 beats iteration 2", a: "spin-3", b: "spin-2" },
  { claim: "iteration 2 beats iteration 1 trained as long (figure 5)", a: "spin-2", b: "spin-1-2x" },
  { claim: "iteration 3 beats iteration 1 trained as long (figure 5)", a: "spin-3", b: "spin-1-3x" },
  { claim: "training iteration 1 on gains (the paper: hardly)", a: "spin-1-2x", b: "spin-1" },
];

export function verdictOf({ winRate }: PairFigures): Verdict {
  if (winRate.low > 0.5) return "held";
  return winRate.high < 0.5 ? "reversed" : "not told apart";
}

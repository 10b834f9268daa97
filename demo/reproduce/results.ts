import { digestOf } from "../../core/canonical-json.js";
import type { Evaluation } from "../../proto/gen/spin/v1/evaluator_service.js";
import { CLAIMS, type Verdict, verdictOf } from "./claims.js";
import type { Candidate } from "./evaluate.js";
import { type Grid, seedOf, trainingCost } from "./grid.js";
import {
  figuresOf,
  type LabelFigures,
  type LabelScores,
  type PairFigures,
  pairOf,
  resamplesOf,
  scoresByLabel,
} from "./over-seeds.js";
import { type Budget, METHODS, type Method, stepsOf, type TrialSettings, UNSEARCHED } from "./settings.js";
import type { Base, Workbench } from "./workbench.js";

/** What the reproduction trains with, and where that comes from. */
export interface Chosen {
  readonly settings: Readonly<Record<Method, TrialSettings>>;
  /** Steps at which SFT and DPO are at their best on the validation prompts. */
  readonly bestSteps: Readonly<Record<"sft" | "dpo", number>>;
  /** Whether a search on the validation prompts chose them. */
  readonly isSearched: boolean;
}

/** The outcome, as it is kept beside the document. */
export interface Results {
  readonly chosen: Chosen;
  readonly prompts: number;
  readonly trainingSeeds: readonly string[];
  readonly noiseSeeds: readonly string[];
  readonly base: string;
  readonly scorer: string;
  readonly promptSet: string;
  readonly computeFingerprint: string;
  readonly pairs: { readonly count: number; readonly agreement: number; readonly labeller: string };
  readonly steps: Readonly<Record<string, number>>;
  readonly figures: readonly LabelFigures[];
  /** Over the base, by label. */
  readonly overBase: readonly PairFigures[];
  readonly claims: readonly (PairFigures & { readonly claim: string; readonly verdict: Verdict })[];
  /** Digests of all checkpoints, by training seed and label. */
  readonly checkpoints: Readonly<Record<string, Readonly<Record<string, string>>>>;
  readonly diverged: readonly string[];
  /** Digest of the checkpoints' digests: the same in every run on machines of one fingerprint. */
  readonly digest: string;
}

/** The settings that a search chose, or the demo's. */
export function chosenFrom(grid: Grid | undefined, { steps }: Budget): Chosen {
  if (grid === undefined)
    return { settings: UNSEARCHED, bestSteps: { sft: 3 * steps, dpo: 3 * steps }, isSearched: false };
  const settings = Object.fromEntries(METHODS.map((method) => [method, grid.chosen[method].settings]));
  return {
    settings: settings as Record<Method, TrialSettings>,
    bestSteps: { sft: grid.chosen.sft.steps, dpo: grid.chosen.dpo.steps },
    isSearched: true,
  };
}

/** Names of the stages with their costs in evaluations of the UNet. */
export function reproductionCosts(budget: Budget, prompts: number): Map<string, number> {
  const costs = new Map<string, number>();
  for (const seed of budget.seeds) {
    for (const method of METHODS) costs.set(stage(method, seed), trainingCost(method, budget));
    costs.set(stage("spin-1 on", seed), trainingCost("spin-1", budget, 3 * budget.steps));
    costs.set(stage("evaluation", seed), 12 * prompts * budget.noiseSeeds.length * budget.samplingSteps * 2);
  }
  return costs;
}

const stage = (what: string, seed: bigint) => `${what}, seed ${seed}`;

/** Trains every method with every seed and measures all checkpoints on the test prompts. */
export async function reproduce(
  bench: Workbench,
  budget: Budget,
  chosen: Chosen,
  pairs: Results["pairs"],
): Promise<{ readonly results: Results; readonly evaluations: readonly Evaluation[] }> {
  const evaluations: Evaluation[] = [];
  const tables = [];
  const checkpoints: Record<string, Record<string, string>> = {};
  const steps: Record<string, number> = {};
  const diverged: string[] = [];
  for (const seed of budget.seeds) {
    const candidates = await trainAll(bench, budget, chosen, seed, diverged);
    const evaluation = await bench.evaluate(stage("evaluation", seed), candidates, "test");
    evaluations.push(evaluation);
    tables.push(await bench.pictures(evaluation));
    checkpoints[String(seed)] = Object.fromEntries(
      candidates.map(({ label, checkpoint }) => [label, checkpoint.digest]),
    );
    for (const { label, steps: total } of candidates) steps[label] = total;
  }
  const scores = scoresByLabel(tables);
  const base = scores.get("base")!;
  const resamples = await resamplesOf(base, budget.bootstrap.results);
  const figures: LabelFigures[] = [];
  const overBase: PairFigures[] = [];
  for (const one of scores.values()) {
    figures.push(await figuresOf(one, resamples));
    if (one !== base && one.label !== "real") overBase.push(await pairOf(one, base, resamples));
  }
  const claims: Results["claims"][number][] = [];
  for (const { claim, a, b } of CLAIMS) {
    const [own, other] = [named(scores, a, chosen, budget), named(scores, b, chosen, budget)];
    if (own === undefined || other === undefined) continue; // one of them diverged, which is told apart
    const pair = await pairOf(own, other, resamples);
    claims.push({ claim, ...pair, verdict: verdictOf(pair) });
  }
  const [first] = evaluations;
  const results = {
    chosen,
    prompts: first!.numPrompts,
    trainingSeeds: budget.seeds.map(String),
    noiseSeeds: budget.noiseSeeds.map(String),
    base: bench.base.digest,
    scorer: first!.scorers[0]!.digest,
    promptSet: first!.spec!.prompts!.digest,
    computeFingerprint: first!.computeFingerprint,
    pairs,
    steps,
    figures,
    overBase,
    claims,
    checkpoints,
    diverged,
    digest: digestOf(checkpoints),
  };
  return { results, evaluations };
}

/** All checkpoints of one training seed: `sft-1x` … after one iteration's steps, twice and three times as many. */
async function trainAll(
  bench: Workbench,
  budget: Budget,
  { settings }: Chosen,
  seed: bigint,
  diverged: string[],
): Promise<Candidate[]> {
  const candidates: Candidate[] = [{ label: "base", checkpoint: bench.base, steps: 0 }];
  const add = (label: string, digest: string, steps: number) =>
    candidates.push({ label, checkpoint: { digest, modelName: "" }, steps });
  const run = async (what: string, method: Method, base: Base, steps = stepsOf(method, budget)) => {
    const from = { base, seed: seedOf(seed, method), steps };
    const outcome = await bench.train(stage(what, seed), method, settings[method], from);
    if (outcome.diverged !== undefined) diverged.push(`${stage(what, seed)}: ${outcome.diverged}`);
    return outcome.checkpoints;
  };
  for (const method of ["sft", "dpo"] as const) {
    const trained = await run(method, method, bench.base);
    for (const { steps, digest } of trained) add(`${method}-${steps / budget.steps}x`, digest, steps);
  }
  let base: Base = bench.base;
  for (const [k, method] of (["spin-1", "spin-2", "spin-3"] as const).entries()) {
    const last = (await run(method, method, base)).at(-1);
    if (last === undefined) break;
    add(method, last.digest, (k + 1) * budget.steps);
    base = { digest: last.digest, modelName: "" };
  }
  const long = await run("spin-1 on", "spin-1", bench.base, 3 * budget.steps);
  // The first of them is spin-1 once more.
  for (const { steps, digest } of long.filter((one) => one.steps > budget.steps)) {
    add(`spin-1-${steps / budget.steps}x`, digest, steps);
  }
  return candidates;
}

/** By label; `sft` and `dpo` are those at their best. */
function named(
  scores: ReadonlyMap<string, LabelScores>,
  label: string,
  { bestSteps }: Chosen,
  { steps }: Budget,
): LabelScores | undefined {
  return scores.get(label === "sft" || label === "dpo" ? `${label}-${bestSteps[label] / steps}x` : label);
}

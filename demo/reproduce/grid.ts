import { SpinError } from "../../core/errors.js";
import type { Evaluation } from "../../proto/gen/spin/v1/evaluator_service.js";
import { type Budget, isSelfPlay, METHODS, type Method, stepsOf, type TrialSettings } from "./settings.js";
import type { Base, Workbench } from "./workbench.js";

/** One checkpoint of a trial, measured on the validation prompts. */
export interface MeasuredCheckpoint {
  /** Of this training. */
  readonly steps: number;
  readonly digest: string;
  readonly score: number;
  readonly median: number;
  readonly similarity?: number;
  readonly kid?: number;
}

/** One setting that was tried. */
export interface Trial {
  readonly method: Method;
  readonly settings: TrialSettings;
  readonly checkpoints: readonly MeasuredCheckpoint[];
  /** Why it was ended, where it was. */
  readonly diverged?: string;
}

/** What was chosen for a method: the setting, and the steps, with the highest mean score on the validation prompts. */
export interface Choice {
  readonly settings: TrialSettings;
  readonly steps: number;
  readonly score: number;
  readonly digest: string;
}

/** The whole search, as it is committed. */
export interface Grid {
  /** Optimiser steps that each method was given: the three iterations of self-play count as one. */
  readonly stepsPerMethod: Readonly<Record<"sft" | "dpo" | "spin", number>>;
  readonly prompts: number;
  readonly base: string;
  readonly scorer: string;
  readonly computeFingerprint: string;
  readonly baseScore: number;
  readonly trials: readonly Trial[];
  readonly chosen: Readonly<Record<Method, Choice>>;
  readonly seconds: number;
}

/** Names of the search's stages with their costs in evaluations of the UNet; a training step counts as three. */
export function gridCosts(budget: Budget, prompts: number): Map<string, number> {
  const pictures = prompts * budget.noiseSeeds.length * budget.samplingSteps * 2;
  const costs = new Map([["base on validation", pictures]]);
  for (const method of METHODS) {
    for (const [i] of budget.grid[method].entries()) {
      costs.set(stageOf(method, i), trainingCost(method, budget));
      costs.set(`${stageOf(method, i)} on validation`, pictures * (isSelfPlay(method) ? 1 : 3));
    }
  }
  return costs;
}

/** Evaluations of the UNet that a training takes: its own, and those of sampling its opponent's pictures. */
export function trainingCost(method: Method, budget: Budget, steps = stepsOf(method, budget)): number {
  const draws = steps * budget.batch * budget.draws;
  if (method === "sft") return 3 * draws;
  return isSelfPlay(method) ? steps * budget.batch * budget.samplingSteps + 7 * draws : 8 * draws;
}

/**
 * Searches every method's settings on the validation prompts with the same budget of optimiser steps, as the paper did:
 * SFT and DPO from the base, each iteration of self-play from what was chosen for the one before.
 */
export async function searchGrid(bench: Workbench, budget: Budget): Promise<Grid> {
  const started = performance.now();
  const [seed] = budget.seeds as readonly [bigint];
  const baseCandidate = { label: "base", checkpoint: bench.base, steps: 0 };
  const base = await bench.evaluate("base on validation", [baseCandidate], "validation");
  const trials: Trial[] = [];
  const chosen: Partial<Record<Method, Choice>> = {};
  let from: Base = bench.base;
  for (const method of METHODS) {
    const own: Trial[] = [];
    for (const [i, settings] of budget.grid[method].entries()) {
      own.push(await runTrial(bench, stageOf(method, i), method, settings, { base: from, seed: seedOf(seed, method) }));
    }
    trials.push(...own);
    chosen[method] = choose(own);
    if (isSelfPlay(method)) from = { digest: chosen[method].digest, modelName: "" };
  }
  return {
    stepsPerMethod: {
      sft: budget.grid.sft.length * stepsOf("sft", budget),
      dpo: budget.grid.dpo.length * stepsOf("dpo", budget),
      spin: METHODS.filter(isSelfPlay).reduce((sum, k) => sum + budget.grid[k].length * stepsOf(k, budget), 0),
    },
    prompts: base.numPrompts,
    base: bench.base.digest,
    scorer: base.scorers[0]!.digest,
    computeFingerprint: base.computeFingerprint,
    baseScore: base.results[0]!.scores[0]!.mean,
    trials,
    chosen: chosen as Record<Method, Choice>,
    seconds: Math.round((performance.now() - started) / 1000),
  };
}

/** Each iteration is a run of its own, and is not to see the noise of the one before. */
export function seedOf(seed: bigint, method: Method): bigint {
  return seed * 16n + BigInt(METHODS.indexOf(method));
}

function stageOf(method: Method, trial: number): string {
  return `${method} trial ${trial + 1}`;
}

async function runTrial(
  bench: Workbench,
  stage: string,
  method: Method,
  settings: TrialSettings,
  from: { base: Base; seed: bigint },
): Promise<Trial> {
  const { checkpoints, diverged } = await bench.train(stage, method, settings, from);
  if (diverged !== undefined) return { method, settings, checkpoints: [], diverged };
  const candidates = checkpoints.map(({ steps, digest }) => ({
    label: `${method}-${steps}`,
    checkpoint: { digest, modelName: "" },
    steps,
  }));
  const evaluation = await bench.evaluate(`${stage} on validation`, candidates, "validation");
  return {
    method,
    settings,
    checkpoints: checkpoints.map(({ steps }) => measured(evaluation, `${method}-${steps}`, steps)),
  };
}

function measured({ results }: Evaluation, label: string, steps: number): MeasuredCheckpoint {
  const result = results.find((one) => one.label === label)!;
  const { mean, median } = result.scores[0]!;
  const { checkpointDigest: digest, similarity, kid } = result;
  return { steps, digest, score: mean, median, similarity, kid: kid?.value };
}

/** The highest score of all; of equal ones the first. @throws where every trial diverged */
export function choose(trials: readonly Trial[]): Choice {
  const all = trials.flatMap(({ settings, checkpoints }) =>
    checkpoints.map(({ steps, score, digest }) => ({ settings, steps, score, digest })),
  );
  const [first] = all;
  if (first === undefined) {
    throw new SpinError("diverged", `every trial of ${trials[0]?.method ?? "a method"} diverged`, {
      remedy: "search lower learning rates or higher betas",
    });
  }
  return all.reduce((best, one) => (one.score > best.score ? one : best), first);
}

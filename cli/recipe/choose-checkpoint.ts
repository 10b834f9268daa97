import { type EvaluationOutcome, type EvaluationPlan, evaluateAndReport } from "../evaluate/evaluate.js";
import type { EvaluateSettings } from "../evaluate/settings.js";
import type { RunCheckpoint } from "../run/run-iterations.js";
import type { Judging } from "./recipe-schema.js";

/** An evaluation takes no more. */
const MOST_CHECKPOINTS = 64;

/** A checkpoint with its mean under the first scorer. */
export interface Candidate extends RunCheckpoint {
  readonly score: number;
}

/**
 * Scores checkpoints on the same prompts and noise, in evaluations of at most 64, and gives them best first; of equals the one with fewer
 * steps.
 */
export async function rankCheckpoints(
  { evaluator, name, patience }: Pick<EvaluationPlan, "evaluator" | "name" | "patience">,
  checkpoints: readonly RunCheckpoint[],
  judging: Judging,
  evaluate: (plan: EvaluationPlan) => Promise<EvaluationOutcome> = evaluateAndReport,
): Promise<Candidate[]> {
  const candidates: Candidate[] = [];
  for (let start = 0; start < checkpoints.length; start += MOST_CHECKPOINTS) {
    const part = checkpoints.slice(start, start + MOST_CHECKPOINTS);
    const plan = { evaluator, name: `${name}.select-${start}`, patience, settings: evaluateSettings(part, judging) };
    const { checkpoints: rows } = await evaluate(plan);
    for (const checkpoint of part) {
      const row = rows.find((one) => one.name === checkpoint.label)!;
      candidates.push({ ...checkpoint, score: row.score.mean });
    }
  }
  return candidates.sort((a, b) => b.score - a.score || a.steps - b.steps);
}

/** An evaluation as a recipe asks for it. */
export function evaluateSettings(checkpoints: readonly RunCheckpoint[], judging: Judging): EvaluateSettings {
  const { prompts, split, maxPrompts, scorers, steps, guidance, seed, batch } = judging;
  return {
    checkpoint: checkpoints.map(({ label, digest, steps }) => {
      return { label, checkpoint: { digest, modelName: "" }, totalSteps: steps };
    }),
    prompts,
    split,
    maxPrompts,
    seeds: [BigInt(seed)],
    sampler: "ddim",
    steps,
    eta: 0,
    guidance,
    batch,
    scorer: scorers,
    bootstrap: 2000,
  };
}

import { join } from "node:path";
import { saveFile } from "../../core/checkpoint/atomic-file.js";
import { SpinError } from "../../core/errors.js";
import type { RpcChannel } from "../../core/service/client.js";
import type { CheckpointRef } from "../../proto/gen/spin/v1/checkpoint.js";
import { type Run, TrainerServiceService } from "../../proto/gen/spin/v1/trainer_service.js";
import { evaluateAndReport, formatOutcome } from "../evaluate/evaluate.js";
import { accuracyOf, type PlanAccuracy } from "../plan/accuracy.js";
import { withService } from "../remote/connect.js";
import { nameOf } from "../remote/references.js";
import { type FinishedRun, outcomeJson, type RunCheckpoint, runIterations } from "../run/run-iterations.js";
import { type Candidate, evaluateSettings, rankCheckpoints } from "./choose-checkpoint.js";
import { iterationsOf } from "./iterations.js";
import type { Recipe } from "./recipe-schema.js";

export interface RecipeRun {
  readonly recipe: Recipe;
  readonly trainer: string;
  readonly evaluator: string;
  /** Summaries and plans are kept below it. */
  readonly stateDir: string;
  /** Where the evaluation's report is written; default: beside the summary. */
  readonly report?: string;
  readonly onLine: (line: string) => void;
  /** Seconds that the trainer may be gone for. */
  readonly patience: number;
  /** Ends the watching. */
  readonly signal: AbortSignal;
}

/** What became of a recipe, as it is kept in `summary.json` and printed under --json. */
export interface RecipeOutcome {
  readonly name: string;
  readonly run_id: string;
  readonly checkpoints: readonly object[];
  /** Where a checkpoint was chosen: all that there were, best first. */
  readonly candidates?: readonly Candidate[];
  readonly evaluation?: object;
  /** How good the estimate was; absent where no plan was made. */
  readonly plan?: PlanAccuracy;
  readonly summary: string;
}

/** Trains, selects and evaluates as a recipe says. The same recipe finds its run again and goes on. */
export async function runRecipe(options: RecipeRun): Promise<RecipeOutcome> {
  const { recipe, trainer, evaluator, stateDir, onLine, signal, patience } = options;
  const { name, finished } = await withService(trainer, async (service) => {
    const base = await baseOf(service, recipe.base, signal);
    const iterations = iterationsOf(recipe);
    const { dataset, split } = recipe;
    const job = { base, dataset, split, seed: BigInt(recipe.seed), iterations };
    const name = nameOf(recipe.name, job);
    onLine(`recipe ${recipe.name}, known as ${name}`);
    return {
      name,
      finished: await runIterations(service, job, { name, title: recipe.name, signal, onLine, patience }),
    };
  });
  const folder = join(stateDir, "recipes", name);

  const candidates =
    recipe.select && (await rankCheckpoints({ evaluator, name, patience }, finished.saved, recipe.select));
  for (const { label, score } of candidates ?? []) onLine(`candidate ${label}: ${score.toFixed(4)}`);
  const chosen = candidates?.[0];
  if (chosen !== undefined) onLine(`chosen: ${chosen.label} of ${candidates!.length}, ${chosen.digest}`);

  const plan = await accuracyOf(recipe, stateDir, finished.seconds);
  const evaluation =
    recipe.evaluation &&
    (await evaluateAndReport({
      evaluator,
      patience,
      name: `${name}.${finished.checkpoints.length - 1}`,
      settings: evaluateSettings(compared(finished, chosen), recipe.evaluation),
      curves: finished.curves,
      estimate: plan && { plannedSeconds: plan.planned_seconds, measuredSeconds: plan.measured_seconds },
      report: options.report ?? join(folder, "report.html"),
    }));
  if (evaluation !== undefined) for (const line of formatOutcome(evaluation).trimEnd().split("\n")) onLine(line);

  if (plan !== undefined) onLine(plan.sentence);
  const summary = join(folder, "summary.json");
  const outcome = { name, ...outcomeJson(finished), candidates, evaluation, plan, summary };
  await saveFile(summary, `${JSON.stringify({ recipe, ...outcome }, undefined, 1)}\n`);
  return outcome;
}

/** What the evaluation compares: of a run with a choice, the base and what was chosen. */
function compared({ checkpoints }: FinishedRun, chosen: Candidate | undefined): readonly RunCheckpoint[] {
  return chosen === undefined ? checkpoints : [checkpoints[0]!, chosen];
}

/** `run:<name>` is where the newest run of that name has come; all else is for the trainer to find. */
async function baseOf(trainer: RpcChannel, base: string, signal: AbortSignal): Promise<CheckpointRef> {
  if (base.startsWith("sha256:")) return { digest: base, modelName: "" };
  if (!base.startsWith("run:")) return { digest: "", modelName: base };
  const wanted = base.slice("run:".length);
  const found: Run[] = [];
  for (let pageToken = ""; ; ) {
    const page = await trainer.call(TrainerServiceService.listRuns, { pageSize: 1000, pageToken }, { signal });
    found.push(...page.runs.filter(({ displayName, runId }) => displayName === wanted || runId === wanted));
    pageToken = page.nextPageToken;
    if (pageToken === "") break;
  }
  const run = found.findLast(({ latestCheckpointDigest, base }) => latestCheckpointDigest !== base!.digest);
  if (run !== undefined) return { digest: run.latestCheckpointDigest, modelName: "" };
  throw new SpinError("notFound", `base: this trainer has no run "${wanted}" with a finished iteration`, {
    field: "base",
    remedy: `run the recipe ${wanted} first, or name a checkpoint with --set base=sha256:…`,
  });
}

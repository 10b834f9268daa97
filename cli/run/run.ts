import { type EvaluationPlan, evaluateAndReport, formatOutcome } from "../evaluate/evaluate.js";
import type { EvaluateSettings } from "../evaluate/settings.js";
import { withService } from "../remote/connect.js";
import { untilInterrupted } from "../remote/interrupt.js";
import { type FinishedRun, outcomeJson, runIterations, type TrainingJob } from "./run-iterations.js";
import type { IterationSettings, RunSettings } from "./settings.js";

export interface RunPlan {
  /** Address of the trainer. */
  readonly trainer: string;
  /** What the run is known by. */
  readonly name: string;
  /** Where and how the checkpoints are evaluated in the end. */
  readonly evaluation?: {
    readonly evaluator: string;
    readonly scorer: string;
    /** 0: all. */
    readonly maxPrompts: number;
    readonly report?: string;
  };
  /** Seconds that the trainer may be gone for. */
  readonly patience: number;
  readonly asJson: boolean;
}

/** Runs K iterations and tells of each step as it comes. */
export async function run(
  settings: RunSettings,
  { trainer, name, evaluation, patience, asJson }: RunPlan,
): Promise<void> {
  const output = asJson ? process.stderr : process.stdout;
  const finished = await withService(trainer, (service) =>
    untilInterrupted(`the run ${name}`, (signal) =>
      runIterations(service, jobOf(settings), { name, signal, patience, onLine: (line) => output.write(`${line}\n`) }),
    ),
  );
  const evaluated =
    evaluation && (await evaluateAndReport(evaluationOf(finished, settings, name, { ...evaluation, patience })));
  if (asJson) process.stdout.write(`${JSON.stringify({ name, ...outcomeJson(finished), evaluation: evaluated })}\n`);
  else if (evaluated !== undefined) process.stdout.write(formatOutcome(evaluated));
}

/** Base and iterations, on the test split of what they were trained on. */
function evaluationOf(
  { checkpoints, curves }: FinishedRun,
  { dataset, samplingSteps, guidance }: RunSettings,
  name: string,
  { evaluator, scorer, maxPrompts, report, patience }: NonNullable<RunPlan["evaluation"]> & Pick<RunPlan, "patience">,
): EvaluationPlan {
  const settings: EvaluateSettings = {
    checkpoint: checkpoints.map(({ label, digest, steps }) => ({
      label,
      checkpoint: { digest, modelName: "" },
      totalSteps: steps,
    })),
    prompts: dataset,
    split: "test",
    maxPrompts,
    seeds: [0n],
    sampler: "ddim",
    steps: samplingSteps,
    eta: 0,
    guidance,
    batch: 8,
    scorer: [scorer],
    bootstrap: 2000,
  };
  return { evaluator, name: `${name}.${checkpoints.length - 1}`, settings, patience, curves, report };
}

/** K times the same. */
function jobOf({ base, dataset, split, seed, iterations, ...settings }: RunSettings): TrainingJob {
  return { base, dataset, split, seed, iterations: Array<IterationSettings>(iterations).fill(settings) };
}

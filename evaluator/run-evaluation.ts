import { withSpan } from "../core/service/tracing.js";
import { type EvaluationNotes, type EvaluationParts, EvaluationRun, type EvaluationTask } from "./evaluation-run.js";
import { drawResamples } from "./metrics/bootstrap.js";
import type { CheckedSpec } from "./requests.js";
import type { ActiveScorer } from "./score-table.js";
import { locateScorer } from "./scorers/locate-scorer.js";

/**
 * Runs an evaluation: the held-out winners first where there are any, then the baseline, then the other checkpoints in
 * their order, one after another. Every batch is kept as it is scored; a task that was interrupted goes on behind it.
 *
 * @throws SpinError of whatever fails first: a scorer, the generator, the disk; `precondition` where a scorer has changed
 * since the interruption; `cancelled` once the signal is aborted.
 */
export async function runEvaluation(
  task: EvaluationTask,
  parts: EvaluationParts,
  notes: EvaluationNotes,
  signal: AbortSignal,
): Promise<void> {
  const { spec, prompts } = task;
  const scorers = await loadScorers(spec, parts, signal);
  await notes.scorers(scorers);
  const run = new EvaluationRun(task, parts, notes, scorers, signal);
  const resamples = await drawResamples(prompts.prompts.length, spec.bootstrapSamples, spec.bootstrapSeed);
  if (prompts.winner !== undefined) await withSpan("evaluate real winners", {}, () => run.winners(resamples));
  const isBaseline = ({ label }: { label: string }) => label === spec.baselineLabel;
  for (const checkpoint of [
    ...spec.checkpoints.filter(isBaseline),
    ...spec.checkpoints.filter((one) => !isBaseline(one)),
  ]) {
    const attributes = { "spin.checkpoint.label": checkpoint.label };
    await withSpan("evaluate checkpoint", { attributes }, () => run.checkpoint(checkpoint, resamples));
  }
  await parts.store.dropPartial(task.id);
}

async function loadScorers(
  { scorers, scorerPaths }: CheckedSpec,
  { worker, modelDir, session }: EvaluationParts,
  signal: AbortSignal,
): Promise<ActiveScorer[]> {
  const active: ActiveScorer[] = [];
  for (const [index, name] of scorers.entries()) {
    const location = await locateScorer(modelDir, name, scorerPaths[name], `spec.scorers[${index}]`);
    active.push({ name, ...(await worker.call("open", { location, session }, { signal })) });
  }
  return active;
}

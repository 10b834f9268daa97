import type { RpcChannel } from "../../core/service/client.js";
import { CheckpointServiceService } from "../../proto/gen/spin/v1/checkpoint_service.js";
import { LineageEntry, type TrainingCurve } from "../../proto/gen/spin/v1/evaluation.js";
import type { Evaluation } from "../../proto/gen/spin/v1/evaluator_service.js";
import { type Iteration, type Run, TrainerServiceService } from "../../proto/gen/spin/v1/trainer_service.js";
import type { StepMetrics } from "../../proto/gen/spin/v1/training.js";
import { isEnded } from "../remote/jobs.js";

const PAGE = 1000;

/** How evaluated checkpoints came about. */
export interface TrainingHistory {
  /** Bases first, then checkpoints by run and step. */
  readonly lineage: readonly LineageEntry[];
  /** Steps of the iterations that ended with an evaluated checkpoint or one that such a checkpoint came from. */
  readonly curves: readonly TrainingCurve[];
  /** Labels of what iterations ended with, by their identifiers. */
  readonly labels: ReadonlyMap<string, string>;
}

/** Asks a trainer where the checkpoints of an evaluation come from, through all that lie between them and their bases. */
export async function trainingHistory(trainer: RpcChannel, { results }: Evaluation): Promise<TrainingHistory> {
  const labelOf = new Map(results.map(({ checkpointDigest, label }) => [checkpointDigest, label]));
  const sources = await checkpointSources(trainer);
  const wanted = new Set<string>();
  for (const { checkpointDigest } of results) {
    for (let digest = checkpointDigest; digest !== "" && !wanted.has(digest); ) {
      wanted.add(digest);
      digest = sources.get(digest)?.iteration.baseDigest ?? "";
    }
  }
  const lineage: LineageEntry[] = [];
  const curves: TrainingCurve[] = [];
  const labels = new Map<string, string>();
  for (const digest of wanted) {
    const source = sources.get(digest);
    if (source === undefined) {
      lineage.unshift(LineageEntry.fromPartial({ label: labelOf.get(digest) ?? "base", checkpointDigest: digest }));
      continue;
    }
    const { run, iteration, totalSteps, isFinal } = source;
    const label = labelOf.get(digest) ?? iteration.spec?.displayName ?? `${run.displayName} ${iteration.number}`;
    lineage.push({
      label,
      checkpointDigest: digest,
      baseDigest: iteration.baseDigest,
      totalSteps,
      dataset: run.dataset,
      seed: run.seed,
      spec: iteration.spec,
      iterationNumber: iteration.number,
      runId: run.runId,
    });
    // An intermediate checkpoint's steps are among those of the iteration's end.
    if (!isFinal) continue;
    labels.set(iteration.iterationId, label);
    curves.push({ label, steps: await stepsOf(trainer, iteration) });
  }
  const order = new Map(results.map(({ checkpointDigest }, i) => [checkpointDigest, i]));
  const rank = ({ checkpointDigest, totalSteps }: LineageEntry) => order.get(checkpointDigest) ?? totalSteps;
  lineage.sort((a, b) => Number(a.runId !== "") - Number(b.runId !== "") || rank(a) - rank(b));
  return { lineage, curves, labels };
}

interface Source {
  readonly run: Run;
  readonly iteration: Iteration;
  readonly totalSteps: number;
  readonly isFinal: boolean;
}

/** Every checkpoint that the trainer has, by digest. */
async function checkpointSources(trainer: RpcChannel): Promise<Map<string, Source>> {
  const runs = new Map<string, { run: Run; iterations: Map<string, Iteration> }>();
  for (let pageToken = ""; ; ) {
    const page = await trainer.call(TrainerServiceService.listRuns, { pageSize: PAGE, pageToken });
    for (const { runId } of page.runs) {
      const { run, iterations } = await trainer.call(TrainerServiceService.getRun, { runId });
      runs.set(runId, { run: run!, iterations: new Map(iterations.map((one) => [one.iterationId, one])) });
    }
    pageToken = page.nextPageToken;
    if (pageToken === "") break;
  }
  const sources = new Map<string, Source>();
  for (let pageToken = ""; ; ) {
    const page = await trainer.call(CheckpointServiceService.listCheckpoints, { runId: "", pageSize: PAGE, pageToken });
    for (const { digest, runId, iterationId, totalSteps, final } of page.checkpoints) {
      const owner = runs.get(runId);
      const iteration = owner?.iterations.get(iterationId);
      if (owner !== undefined && iteration !== undefined) {
        sources.set(digest, { run: owner.run, iteration, totalSteps, isFinal: final });
      }
    }
    pageToken = page.nextPageToken;
    if (pageToken === "") break;
  }
  return sources;
}

async function stepsOf(trainer: RpcChannel, { iterationId }: Iteration): Promise<StepMetrics[]> {
  const steps: StepMetrics[] = [];
  const request = { iterationId, afterSequence: 0 };
  for await (const { event } of trainer.stream(TrainerServiceService.watchIteration, request)) {
    if (event?.$case === "step") steps.push(event.value);
    else if (event?.$case === "stateChange" && isEnded(event.value)) break;
  }
  return steps;
}

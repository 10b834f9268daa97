import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { writeFailure } from "../cli/failure.js";
import { trainingHistory } from "../cli/report/history.js";
import { fetchReport } from "../cli/report/write-report.js";
import { digestFolder } from "../core/checkpoint/manifest.js";
import { openDataset } from "../core/data/open-dataset.js";
import { startTelemetry } from "../core/service/telemetry.js";
import { withSpan } from "../core/service/tracing.js";
import type { DatasetRef } from "../proto/gen/spin/v1/common.js";
import { GetReportRequest } from "../proto/gen/spin/v1/evaluator_service.js";
import { type Candidate, evaluateCheckpoints } from "./evaluate-checkpoints.js";
import { interruption } from "./interruption.js";
import { printOutcome } from "./outcome.js";
import { OverallProgress } from "./overall-progress.js";
import { RECIPE, SFT, spin } from "./recipe.js";
import { type DemoServices, startServices } from "./services.js";
import { createRun, type Trained, trainIteration } from "./train-checkpoints.js";

const FOLDER = "runs/demo";
const BASE = fileURLToPath(new URL("../../demo/base", import.meta.url));

/** The whole main job in small: base → SFT, base → SPIN 1 → SPIN 2, the four evaluated, a table and a report. */
async function runDemo(services: DemoServices): Promise<void> {
  const started = performance.now();
  const base = { modelName: "base", digest: (await digestFolder(BASE)).digest };
  const winners = await datasetRef("emoji/winners", "train");
  const test = await datasetRef("emoji/winners", "test");
  const progress = new OverallProgress(stageCosts((await openDataset("emoji/winners", "test")).size));

  const train = (runId: string, spec: typeof SFT): Promise<Trained> =>
    trainIteration(services.trainer, runId, spec, ({ step, loss, margin }) => {
      const note = `step ${step}/${spec.numSteps}, loss ${loss.toFixed(4)}, margin ${margin.toFixed(3)}`;
      progress.update(spec.displayName, step / spec.numSteps, note);
    });
  const sftRun = await createRun(services.trainer, "sft", base, winners, RECIPE.seed);
  const sft = await train(sftRun, SFT);
  const spinRun = await createRun(services.trainer, "spin", base, winners, RECIPE.seed);
  const trained = [sft, await train(spinRun, spin(1)), await train(spinRun, spin(2))];

  const candidates: Candidate[] = [
    { name: "base", checkpoint: base, steps: 0 },
    ...trained.map(({ name, digest }, i) => ({
      name,
      checkpoint: { digest, modelName: "" }, // the generator fetches it from the trainer
      steps: [2, 1, 2][i]! * RECIPE.stepsPerIteration,
    })),
  ];
  const names = candidates.map(({ name }) => name);
  const evaluation = await evaluateCheckpoints(services.evaluator, candidates, test, (label, done, total) => {
    const share = (names.indexOf(label) + done / total) / names.length;
    progress.update("evaluation", share, `${label}, picture ${done}/${total}`);
  });
  progress.pause();
  const { lineage, curves } = await trainingHistory(services.trainer, evaluation);
  const request = { evaluationId: evaluation.evaluationId, lineage: [...lineage], curves: [...curves] };
  const report = await fetchReport(services.evaluator, GetReportRequest.fromPartial(request));
  await writeFile(join(FOLDER, "report.html"), report);
  const seconds = (performance.now() - started) / 1000;
  await printOutcome(evaluation, seconds, FOLDER);
}

async function datasetRef(name: string, split: "train" | "test"): Promise<DatasetRef> {
  return { name, split, digest: (await openDataset(name, split)).digest };
}

/** Evaluations of the UNet that each stage takes; a training step counts as three forward passes. */
function stageCosts(prompts: number): Map<string, number> {
  const { stepsPerIteration, batchSize, drawsPerSample, samplingSteps } = RECIPE;
  const samples = stepsPerIteration * batchSize;
  const iteration = samples * (samplingSteps + 2 * drawsPerSample);
  return new Map([
    ["sft", 2 * samples * drawsPerSample * 3],
    ["spin-1", iteration],
    ["spin-2", iteration],
    ["evaluation", 4 * prompts * RECIPE.evaluationSeeds.length * samplingSteps * 2],
  ]);
}

const telemetry = await startTelemetry("demo");
try {
  await mkdir(FOLDER, { recursive: true });
  const services = await startServices(FOLDER, interruption());
  try {
    await Promise.race([withSpan("demo", {}, () => runDemo(services)), services.failed]);
  } finally {
    await services.stop();
  }
} catch (error) {
  process.stderr.write("\n");
  writeFailure(error, false);
  process.exitCode = 1;
} finally {
  await telemetry.shutdown();
}

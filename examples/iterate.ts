/**
 * Scripts a run against running services: iterations of self-play from the built-in base, an evaluation of the base and
 * of every iteration, a table and the HTML report. `npm run build`, then `node dist/examples/iterate.js --help`.
 */
import { writeFile } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { Command } from "commander";
import { SpinError } from "../core/errors.js";
import { RpcChannel } from "../core/service/client.js";
import { Caller } from "../core/service/doors/caller.js";
import { type Estimate, JobState } from "../proto/gen/spin/v1/common.js";
import { type CheckpointResult, EvaluationSpec, type TrainingCurve } from "../proto/gen/spin/v1/evaluation.js";
import { type Evaluation, EvaluatorServiceService, GetReportRequest } from "../proto/gen/spin/v1/evaluator_service.js";
import { CropKind, SamplerKind, TimestepChoice } from "../proto/gen/spin/v1/sampling.js";
import { DataType } from "../proto/gen/spin/v1/tensor.js";
import { CreateRunRequest, type Iteration, TrainerServiceService } from "../proto/gen/spin/v1/trainer_service.js";
import { IterationSpec, type StepMetrics } from "../proto/gen/spin/v1/training.js";

interface Options {
  readonly trainer: string;
  readonly evaluator: string;
  readonly base: string;
  readonly dataset: string;
  readonly iterations: string;
  readonly steps: string;
  readonly maxPrompts: string;
  readonly name: string;
  readonly report: string;
  readonly tlsCa?: string;
  readonly tlsCert?: string;
  readonly tlsKey?: string;
  readonly tlsName?: string;
  readonly tokenFile?: string;
}

const SAMPLING_STEPS = 20;
const PROGRESS_MS = 5_000;
const RETRIES = 30;
const RETRY_MS = 2_000;

const program = new Command("iterate")
  .description("Runs iterations of SPIN-Diffusion on running services and evaluates what comes out.")
  .option("--trainer <host:port>", "address of the trainer", "127.0.0.1:50052")
  .option("--evaluator <host:port>", "address of the evaluator", "127.0.0.1:50053")
  .option("--base <name>", "model to start from, under the services' MODEL_DIR", "base")
  .option("--dataset <name>", "real images and captions", "emoji/winners")
  .option("--iterations <count>", "iterations of self-play", "2")
  .option("--steps <count>", "optimiser steps of each iteration", "20")
  .option("--max-prompts <count>", "prompts of the evaluation; 0: all", "32")
  .option("--name <name>", "the same name again goes on with what exists", `iterate-${Date.now().toString(36)}`)
  .option("--report <file>", "where to write the report", "iterate-report.html")
  .option("--tls-ca <file>", "CA of the services' certificates; without it no TLS")
  .option("--tls-cert <file>", "a certificate of one's own, for mutual TLS")
  .option("--tls-key <file>", "its private key")
  .option("--tls-name <name>", "name that the services' certificates must have")
  .option("--token-file <file>", "file with a token")
  .parse();
const options = program.opts<Options>();

const caller = await Caller.open(options);
const trainer = new RpcChannel(options.trainer, { caller });
const evaluator = new RpcChannel(options.evaluator, { caller });
try {
  await main();
} catch (error) {
  if (!(error instanceof SpinError)) throw error;
  console.error(`error: ${error.message}`);
  process.exitCode = 1;
} finally {
  trainer.close();
  evaluator.close();
}

async function main(): Promise<void> {
  const { name, base, dataset } = options;
  const steps = Number(options.steps);
  const { run } = await trainer.call(
    TrainerServiceService.createRun,
    CreateRunRequest.fromPartial({
      requestId: name,
      displayName: name,
      base: { modelName: base },
      dataset: { name: dataset, split: "train" },
      seed: 5775709n,
    }),
  );
  console.log(`run ${run!.runId}, base ${run!.base!.digest}`);

  const checkpoints = [{ label: "base", checkpoint: run!.base!, totalSteps: 0 }];
  const curves: TrainingCurve[] = [];
  for (let k = 1; k <= Number(options.iterations); k++) {
    const label = `spin-${k}`;
    const { digest, metrics } = await iterate(run!.runId, label, steps);
    checkpoints.push({ label, checkpoint: { digest, modelName: "" }, totalSteps: k * steps });
    curves.push({ label, steps: metrics });
  }

  const evaluation = await evaluate(checkpoints);
  printTable(evaluation);
  const parts: Uint8Array[] = [];
  const { evaluationId } = evaluation;
  const request = GetReportRequest.fromPartial({ evaluationId, curves });
  for await (const { data } of evaluator.stream(EvaluatorServiceService.getReport, request)) {
    parts.push(data);
  }
  await writeFile(options.report, Buffer.concat(parts));
  console.log(`report: ${options.report}`);
}

/** One iteration of self-play in the re-noised form, watched to its end. */
async function iterate(runId: string, label: string, numSteps: number) {
  const spec = IterationSpec.fromPartial({
    displayName: label,
    objective: { $case: "spinRenoised", value: { beta: 5000 } },
    sampling: {
      sampler: { kind: SamplerKind.SAMPLER_KIND_DDIM, numSteps: SAMPLING_STEPS, guidanceScale: 1 },
      timestepChoice: TimestepChoice.TIMESTEP_CHOICE_STRATIFIED,
      drawsPerSample: 4,
      promptDropout: 0.1,
      image: { crop: CropKind.CROP_KIND_CENTER },
      dtype: DataType.DATA_TYPE_FLOAT32,
      batchSize: 8,
    },
    optimizer: { learningRate: 1e-5, warmupSteps: 5 },
    numSteps,
    batchSize: 8,
  });
  const request = { requestId: `${options.name}-${label}`, runId, spec };
  const { iteration } = await trainer.call(TrainerServiceService.startIteration, request);
  const { iterationId } = iteration!;
  const metrics: StepMetrics[] = [];
  const line = throttled();
  let last = iteration!;
  const events = follow((afterSequence) =>
    trainer.stream(TrainerServiceService.watchIteration, { iterationId, afterSequence }),
  );
  for await (const { event } of events) {
    if (event?.$case === "stateChange") last = event.value;
    if (event?.$case !== "step") continue;
    const { step, loss, margin, implicitAccuracy } = event.value;
    metrics.push(event.value);
    const text = `loss ${loss.toFixed(4)}  margin ${margin.toFixed(3)}  accuracy ${implicitAccuracy.toFixed(2)}`;
    line(`${label}  step ${step}/${numSteps}  ${text}`, step === 1 || step === numSteps);
  }
  requireSuccess(label, last);
  console.log(`${label}: ${last.checkpointDigest}`);
  return { digest: last.checkpointDigest, metrics };
}

/** The same prompts and noise for every checkpoint. */
async function evaluate(checkpoints: EvaluationSpec["checkpoints"]): Promise<Evaluation> {
  const spec = EvaluationSpec.fromPartial({
    checkpoints,
    prompts: { name: options.dataset, split: "test" },
    maxPrompts: Number(options.maxPrompts),
    seeds: [1000n],
    sampler: { kind: SamplerKind.SAMPLER_KIND_DDIM, numSteps: SAMPLING_STEPS, guidanceScale: 2 },
    batchSize: 16,
    scorers: ["scorer"],
  });
  const request = { requestId: `${options.name}-evaluation`, spec };
  const { evaluation } = await evaluator.call(EvaluatorServiceService.startEvaluation, request);
  const { evaluationId } = evaluation!;
  const line = throttled();
  let last = evaluation!;
  const events = follow((afterSequence) =>
    evaluator.stream(EvaluatorServiceService.watchEvaluation, { evaluationId, afterSequence }),
  );
  for await (const { event } of events) {
    if (event?.$case === "stateChange") last = event.value;
    if (event?.$case !== "progress") continue;
    const { label, imagesDone, imagesTotal } = event.value;
    line(`evaluation  ${label}  picture ${imagesDone}/${imagesTotal}`, imagesDone === imagesTotal);
  }
  requireSuccess("the evaluation", last);
  return last;
}

/** A job's events from its beginning to its end; after a broken connection, from the one after the last that came. */
async function* follow<Event extends { readonly sequence: number }>(
  watch: (afterSequence: number) => AsyncIterable<Event>,
): AsyncGenerator<Event> {
  let sequence = 0;
  for (let failures = 0; ; failures++) {
    try {
      for await (const event of watch(sequence)) {
        ({ sequence } = event);
        failures = 0;
        yield event;
      }
      return;
    } catch (error) {
      if (!(error instanceof SpinError && error.kind === "unavailable") || failures === RETRIES) throw error;
      await sleep(RETRY_MS);
    }
  }
}

function requireSuccess(name: string, { state, failure }: Pick<Iteration | Evaluation, "state" | "failure">): void {
  if (state === JobState.JOB_STATE_SUCCEEDED) return;
  throw new SpinError(
    "internal",
    `${name} ended as ${JobState[state]}: ${failure?.message ?? "cancelled by a caller"}`,
  );
}

/** Prints a line where the last one is some seconds old, or where it matters. */
function throttled(): (line: string, always: boolean) => void {
  let printed = Number.NEGATIVE_INFINITY;
  return (line, always) => {
    if (!always && performance.now() - printed < PROGRESS_MS) return;
    printed = performance.now();
    console.log(line);
  };
}

function printTable({ spec, results, real }: Evaluation): void {
  const steps = new Map(spec!.checkpoints.map(({ label, totalSteps }) => [label, String(totalSteps)]));
  const row = (result: CheckpointResult): string[] => [
    result.label,
    steps.get(result.label) ?? "–",
    result.scores[0]!.mean.toFixed(3),
    result.scores[0]!.median.toFixed(3),
    estimate(result.scores[0]!.winRate, 2),
    result.similarity?.toFixed(3) ?? "–",
    estimate(result.kid, 3),
    estimate(result.cmmd, 3),
  ];
  const rows = [
    ["", "steps", "score", "median", "win rate over base", "similarity", "KID", "CMMD"],
    ...results.map(row),
    ...(real === undefined ? [] : [row(real)]),
  ];
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((cells) => cells[column]!.length)));
  for (const cells of rows) console.log(cells.map((cell, column) => cell.padEnd(widths[column]!)).join("  "));
}

/** `0.83 [0.77, 0.89]`, with the 95 % interval where there is one. */
function estimate(measured: Estimate | undefined, decimals: number): string {
  if (measured === undefined) return "–";
  const { value, low, high } = measured;
  const interval =
    low === undefined || high === undefined ? "" : ` [${low.toFixed(decimals)}, ${high.toFixed(decimals)}]`;
  return value.toFixed(decimals) + interval;
}

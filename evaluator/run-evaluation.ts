import sharp from "sharp";
import { canonicalJson } from "../core/canonical-json.js";
import { containedPath } from "../core/contained-path.js";
import type { DataFolders } from "../core/data/data-folder.js";
import { decodeImage, encodeImage } from "../core/data/image.js";
import { SpinError } from "../core/errors.js";
import type { SessionOptions } from "../core/graph/session.js";
import type { WorkerClient } from "../core/runtime/worker-client.js";
import type { RpcChannel } from "../core/service/client.js";
import { withSpan } from "../core/service/tracing.js";
import type { CheckpointResult, EvaluationProgress, EvaluationSpec } from "../proto/gen/spin/v1/evaluation.js";
import { SamplerSettings } from "../proto/gen/spin/v1/sampling.js";
import type { EvaluationStore } from "./evaluation-store.js";
import { drawResamples } from "./metrics/bootstrap.js";
import type { Features } from "./metrics/features.js";
import { type PictureScores, type Protocol, promptOfPictures } from "./picture-scores.js";
import type { PromptSet } from "./prompts.js";
import { type RenderedPicture, renderPictures } from "./render.js";
import { type CheckedSpec, REAL_LABEL } from "./requests.js";
import { type ActiveScorer, SCORE_BATCH, ScoreTable } from "./score-table.js";
import type { ScoreMethods } from "./score-worker.js";
import type { CaptionedPicture } from "./scorers/scorer.js";
import { distances, type Resampling, resultOf } from "./statistics.js";

/** Prompts whose pictures the report shows. */
const SHOWN_PROMPTS = 24;
/** Larger pictures are shown in this size, in pixels. */
const SHOWN_SIZE = 256;

/** What an evaluation works with. */
export interface EvaluationParts {
  readonly store: EvaluationStore;
  readonly generator: RpcChannel;
  readonly worker: WorkerClient<ScoreMethods>;
  readonly modelDir: string;
  /** Where prompts that are not built in lie. */
  readonly data: DataFolders;
  readonly session: Pick<SessionOptions, "threads" | "device">;
}

/** Where an evaluation tells what it finds; each call is awaited, so that what was told is kept. */
export interface EvaluationNotes {
  scorers(scorers: readonly ActiveScorer[]): Promise<void>;
  progress(progress: EvaluationProgress): Promise<void>;
  /** The floor that real winners reach. */
  real(result: CheckpointResult): Promise<void>;
  result(result: CheckpointResult, computeFingerprint: string): Promise<void>;
}

/** An evaluation to be run. */
export interface EvaluationTask {
  readonly id: string;
  readonly spec: CheckedSpec;
  readonly prompts: PromptSet;
}

/**
 * Runs an evaluation: the held-out winners first, then the baseline, then the other checkpoints in their order, one
 * after another.
 *
 * @throws SpinError of whatever fails first: a scorer, the generator, the disk; `cancelled` once the signal is aborted.
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
  await withSpan("evaluate real winners", {}, () => run.winners(resamples));
  const isBaseline = ({ label }: { label: string }) => label === spec.baselineLabel;
  for (const checkpoint of [
    ...spec.checkpoints.filter(isBaseline),
    ...spec.checkpoints.filter((one) => !isBaseline(one)),
  ]) {
    const attributes = { "spin.checkpoint.label": checkpoint.label };
    await withSpan("evaluate checkpoint", { attributes }, () => run.checkpoint(checkpoint, resamples));
  }
}

/** The name of a checkpoint's files: labels may differ in case alone, which not every disk tells apart. */
export function fileName(spec: Pick<EvaluationSpec, "checkpoints">, label: string): string {
  if (label === REAL_LABEL) return REAL_LABEL;
  return `${spec.checkpoints.findIndex((one) => one.label === label)}-${label}`;
}

/** Prompts that the report shows, spread over all. */
export function shownPrompts(numPrompts: number): number[] {
  const count = Math.min(SHOWN_PROMPTS, numPrompts);
  return Array.from({ length: count }, (_, i) => Math.floor((i * numPrompts) / count));
}

async function loadScorers(
  { scorers }: CheckedSpec,
  { worker, modelDir, session }: EvaluationParts,
  signal: AbortSignal,
): Promise<ActiveScorer[]> {
  const active: ActiveScorer[] = [];
  for (const [index, name] of scorers.entries()) {
    const folder = await containedPath(modelDir, name, { field: `spec.scorers[${index}]` });
    active.push({ name, folder, ...(await worker.call("load", { folder, ...session }, { signal })) });
  }
  return active;
}

/** The work on one task, with what its measurements share. */
class EvaluationRun {
  readonly #task: EvaluationTask;
  readonly #parts: EvaluationParts;
  readonly #notes: EvaluationNotes;
  readonly #scorers: readonly ActiveScorer[];
  readonly #signal: AbortSignal;
  readonly #shown: ReadonlySet<number>;
  #winners: Features | undefined;
  #baseline: PictureScores | undefined;
  #computeFingerprint = "";

  constructor(
    task: EvaluationTask,
    parts: EvaluationParts,
    notes: EvaluationNotes,
    scorers: readonly ActiveScorer[],
    signal: AbortSignal,
  ) {
    this.#task = task;
    this.#parts = parts;
    this.#notes = notes;
    this.#scorers = scorers;
    this.#signal = signal;
    this.#shown = new Set(shownPrompts(task.prompts.prompts.length));
  }

  /**
   * Scores the held-out winners. Their distances are between two halves of them, every other one, each with its neighbour
   * for a unit: where neighbours are much alike, as in the built-in data, that takes noise away.
   */
  async winners(resamples: readonly Int32Array[]): Promise<void> {
    const { prompts, spec } = this.#task;
    const size = prompts.prompts.length;
    const table = new ScoreTable(this.#parts.worker, this.#scorers, size);
    await this.#fill(table, REAL_LABEL, this.#realPictures());
    this.#winners = table.features;
    const [even, odd] = [everyOther(table.features, 0), everyOther(table.features, 1)];
    const pairs = promptOfPictures(odd.rows, 1);
    const drawn = await drawResamples(odd.rows, spec.bootstrapSamples, spec.bootstrapSeed);
    const measured = {
      ...this.#measured(REAL_LABEL, "", table),
      ...(await distances(even, odd, { x: pairs, y: pairs }, drawn)),
    };
    await this.#save(measured);
    await this.#notes.real(resultOf(measured, undefined, { resamples, prompts: promptOfPictures(size, 1) }));
  }

  /** Has a checkpoint's pictures rendered, scores them, and measures how far they are from the winners. */
  async checkpoint(checkpoint: CheckedSpec["checkpoints"][number], resamples: readonly Int32Array[]): Promise<void> {
    const { spec, prompts } = this.#task;
    const { label } = checkpoint;
    const numPrompts = prompts.prompts.length;
    const resampling: Resampling = { resamples, prompts: promptOfPictures(numPrompts, spec.seeds.length) };
    const table = new ScoreTable(this.#parts.worker, this.#scorers, resampling.prompts.length);
    const items = spec.seeds.flatMap((seed) =>
      prompts.prompts.map((prompt, i) => ({ prompt, seed: BigInt.asUintN(64, seed + BigInt(i)) })),
    );
    const job = { ...spec, checkpoint: checkpoint.checkpoint, items, computeFingerprint: this.#computeFingerprint };
    const stamp = { checkpointDigest: "", computeFingerprint: "" };
    const rendered = renderPictures(this.#parts.generator, job, this.#signal);
    await this.#fill(table, label, this.#renderedPictures(rendered, label, stamp));
    this.#computeFingerprint = stamp.computeFingerprint;
    const units = { x: resampling.prompts, y: promptOfPictures(numPrompts, 1) };
    const measured = {
      ...this.#measured(label, stamp.checkpointDigest, table),
      ...(await distances(table.features, this.#winners!, units, resamples)),
    };
    await this.#save(measured);
    if (label === spec.baselineLabel) this.#baseline = measured;
    const over = label === spec.baselineLabel ? undefined : this.#baseline;
    await this.#notes.result(resultOf(measured, over, resampling), stamp.computeFingerprint);
  }

  async #fill(table: ScoreTable, label: string, pictures: AsyncIterable<CaptionedPicture>): Promise<void> {
    const imagesTotal = table.similarities.length;
    let batch: CaptionedPicture[] = [];
    for await (const picture of pictures) {
      batch.push(picture);
      if (batch.length < SCORE_BATCH && table.filled + batch.length < imagesTotal) continue;
      await table.add(batch, this.#signal);
      batch = [];
      await this.#notes.progress({ label, imagesDone: table.filled, imagesTotal });
    }
  }

  async *#realPictures(): AsyncGenerator<CaptionedPicture> {
    const { prompts, id } = this.#task;
    for (const [i, caption] of prompts.prompts.entries()) {
      const image = await requireWinner(prompts)(i);
      if (this.#shown.has(i)) {
        await this.#parts.store.savePicture(id, REAL_LABEL, i, await shrunk(await encodeImage(image)));
      }
      yield { image, caption };
    }
  }

  /** Takes pictures as they come, keeps those that the report shows, and notes what they were rendered with. */
  async *#renderedPictures(
    rendered: AsyncIterable<RenderedPicture>,
    label: string,
    stamp: { checkpointDigest: string; computeFingerprint: string },
  ): AsyncGenerator<CaptionedPicture> {
    const { prompts, id, spec } = this.#task;
    for await (const { index, png, checkpointDigest, computeFingerprint } of rendered) {
      Object.assign(stamp, { checkpointDigest, computeFingerprint });
      if (this.#shown.has(index)) {
        await this.#parts.store.savePicture(id, fileName(spec, label), index, await shrunk(png));
      }
      yield { image: await decodeImage(png), caption: prompts.prompts[index % prompts.prompts.length]! };
    }
  }

  #measured(label: string, checkpointDigest: string, table: ScoreTable): Omit<PictureScores, "kid" | "cmmd"> {
    const { scores, similarities } = table;
    const { prompts } = this.#task.prompts;
    return { label, checkpointDigest, protocol: this.#protocol(), prompts, scores, similarities };
  }

  #protocol(): Protocol {
    const { spec, prompts } = this.#task;
    return {
      scorers: this.#scorers.map(({ name, digest }) => ({ name, digest })),
      promptSetDigest: prompts.ref.digest,
      numPrompts: prompts.prompts.length,
      seeds: spec.seeds.map(String),
      sampler: canonicalJson(SamplerSettings.toJSON(spec.sampler)),
      batchSize: spec.batchSize,
      computeFingerprint: this.#computeFingerprint,
      bootstrapSamples: spec.bootstrapSamples,
      bootstrapSeed: String(spec.bootstrapSeed),
    };
  }

  async #save(measured: PictureScores): Promise<void> {
    const { id, spec } = this.#task;
    await this.#parts.store.saveScores(id, fileName(spec, measured.label), measured);
  }
}

/** Rows first, first + 2, …; of an odd number of rows the last is left out. */
function everyOther({ data, rows, columns }: Features, first: number): Features {
  const count = Math.floor(rows / 2);
  const half = new Float32Array(count * columns);
  for (let i = 0; i < count; i++) {
    const row = first + 2 * i;
    half.set(data.subarray(row * columns, (row + 1) * columns), i * columns);
  }
  return { data: half, rows: count, columns };
}

/** A PNG file for the report: as it is, or made smaller. */
async function shrunk(png: Uint8Array): Promise<Uint8Array> {
  const { width, height } = await sharp(png).metadata();
  if (width <= SHOWN_SIZE && height <= SHOWN_SIZE) return png;
  return sharp(png).resize(SHOWN_SIZE, SHOWN_SIZE, { fit: "inside" }).png().toBuffer();
}

/** Distances are to real pictures, of which a list of prompts has none. */
function requireWinner({ ref, winner }: PromptSet): NonNullable<PromptSet["winner"]> {
  if (winner !== undefined) return winner;
  throw new SpinError("invalid", `the prompt set "${ref.name}" has no pictures to measure distances to`, {
    field: "spec.prompts",
    remedy: "name a data set with pictures",
  });
}

import { canonicalJson } from "../core/canonical-json.js";
import type { DataFolders } from "../core/data/data-folder.js";
import { decodeImage, encodeImage } from "../core/data/image.js";
import type { SessionOptions } from "../core/graph/session.js";
import type { WorkerClient } from "../core/runtime/worker-client.js";
import type { RpcChannel } from "../core/service/client.js";
import type { DiskRoom } from "../core/service/disk-room.js";
import { count } from "../core/service/metrics.js";
import type { CheckpointResult, EvaluationProgress } from "../proto/gen/spin/v1/evaluation.js";
import { SamplerSettings } from "../proto/gen/spin/v1/sampling.js";
import { fileName, pictureSeed, shownPrompts, shrunk } from "./evaluation-pictures.js";
import type { EvaluationStore } from "./evaluation-store.js";
import { drawResamples } from "./metrics/bootstrap.js";
import type { Features } from "./metrics/features.js";
import { Pace } from "./pace.js";
import { type PictureScores, type Protocol, promptOfPictures } from "./picture-scores.js";
import type { PromptSet } from "./prompts.js";
import { renderPictures } from "./render.js";
import { type CheckedSpec, REAL_LABEL } from "./requests.js";
import { type ActiveScorer, picturesAtATime, ScoreTable, scoreBatch } from "./score-table.js";
import type { ScoreMethods } from "./score-worker.js";
import type { CaptionedPicture } from "./scorers/scorer.js";
import { distances, type Resampling, resultOf } from "./statistics.js";

/** What an evaluation works with. */
export interface EvaluationParts {
  readonly store: EvaluationStore;
  /** That evaluations are kept on. */
  readonly disk: DiskRoom;
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

/** An evaluation to be run, or to go on with. */
export interface EvaluationTask {
  readonly id: string;
  readonly spec: CheckedSpec;
  readonly prompts: PromptSet;
  /** Labels of checkpoints that have their results from before an interruption. */
  readonly finished: ReadonlySet<string>;
  /** What these were rendered with; empty where there are none. */
  readonly computeFingerprint: string;
}

/** The work on one task, with what its measurements share. */
export class EvaluationRun {
  readonly #task: EvaluationTask;
  readonly #parts: EvaluationParts;
  readonly #notes: EvaluationNotes;
  readonly #scorers: readonly ActiveScorer[];
  readonly #signal: AbortSignal;
  readonly #shown: ReadonlySet<number>;
  readonly #pace: Pace;
  #winners: Features | undefined;
  #baseline: PictureScores | undefined;
  #computeFingerprint: string;

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
    const { spec, prompts } = task;
    this.#shown = new Set(shownPrompts(prompts.prompts.length));
    this.#computeFingerprint = task.computeFingerprint;
    const pictures = spec.checkpoints.length * spec.seeds.length + (prompts.winner === undefined ? 0 : 1);
    this.#pace = new Pace(prompts.prompts.length * pictures);
  }

  /**
   * Scores the held-out winners. Their distances are between two halves of them, every other one, each with its neighbour
   * for a unit: where neighbours are much alike, as in the built-in data, that takes noise away.
   */
  async winners(resamples: readonly Int32Array[]): Promise<void> {
    const { prompts, finished } = this.#task;
    const size = prompts.prompts.length;
    const table = await this.#scored(REAL_LABEL, size, (first) => this.#realPictures(first));
    this.#winners = table.features;
    if (finished.has(REAL_LABEL)) return;
    const measured = { ...this.#measured(REAL_LABEL, "", table), ...(await this.#floor(table.features)) };
    await this.#save(measured);
    const resampling = { resamples, prompts: promptOfPictures(size, 1) };
    await this.#notes.real(await resultOf(measured, undefined, resampling));
  }

  /** Has a checkpoint's pictures rendered, scores them, and measures how far they are from the winners. */
  async checkpoint(checkpoint: CheckedSpec["checkpoints"][number], resamples: readonly Int32Array[]): Promise<void> {
    const { id, spec, prompts, finished } = this.#task;
    const { label } = checkpoint;
    const isBaseline = label === spec.baselineLabel;
    const numPrompts = prompts.prompts.length;
    const resampling: Resampling = { resamples, prompts: promptOfPictures(numPrompts, spec.seeds.length) };
    if (finished.has(label)) {
      if (isBaseline) this.#baseline = await this.#parts.store.readScores(id, fileName(spec, label));
      this.#pace.skip(resampling.prompts.length);
      return;
    }
    const stamp = { checkpointDigest: checkpoint.checkpoint.digest, computeFingerprint: this.#computeFingerprint };
    const table = await this.#scored(
      label,
      resampling.prompts.length,
      (first) => this.#renderedPictures(checkpoint, first, stamp),
      stamp,
    );
    this.#computeFingerprint = stamp.computeFingerprint;
    const units = { x: resampling.prompts, y: promptOfPictures(numPrompts, 1) };
    const apart = table.features && this.#winners && (await distances(table.features, this.#winners, units, resamples));
    const measured = { ...this.#measured(label, stamp.checkpointDigest, table), ...apart };
    await this.#save(measured);
    if (isBaseline) this.#baseline = measured;
    const result = await resultOf(measured, isBaseline ? undefined : this.#baseline, resampling);
    await this.#notes.result(result, stamp.computeFingerprint);
    await this.#parts.store.dropPartial(id, fileName(spec, label));
  }

  /** The winners' distances to themselves: between two halves. */
  async #floor(features: Features | undefined) {
    if (features === undefined) return undefined;
    const { bootstrapSamples, bootstrapSeed } = this.#task.spec;
    const [even, odd] = [everyOther(features, 0), everyOther(features, 1)];
    const pairs = promptOfPictures(odd.rows, 1);
    const drawn = await drawResamples(odd.rows, bootstrapSamples, bootstrapSeed);
    return distances(even, odd, { x: pairs, y: pairs }, drawn);
  }

  /**
   * Every picture scored: those of the batches that are on the disk taken from there, the rest as they come.
   * @param pictures those from a position on
   * @param stamp what the pictures were rendered with, as the first of them tells
   */
  async #scored(
    label: string,
    size: number,
    pictures: (first: number) => AsyncIterable<CaptionedPicture>,
    stamp: Stamp = { checkpointDigest: "", computeFingerprint: "" },
  ): Promise<ScoreTable> {
    const { id, spec } = this.#task;
    const table = new ScoreTable(spec.scorers, size);
    // A fingerprint is not known before the first picture.
    const protocol = { ...this.#protocol(), computeFingerprint: "" };
    const partial = await this.#parts.store.openPartial(id, fileName(spec, label), label, protocol);
    try {
      for (const batch of partial.batches) {
        table.put(batch);
        Object.assign(stamp, {
          checkpointDigest: batch.checkpointDigest,
          computeFingerprint: batch.computeFingerprint,
        });
      }
      this.#pace.skip(table.filled);
      const atATime = picturesAtATime(this.#scorers);
      let batch: CaptionedPicture[] = [];
      for await (const picture of pictures(table.filled)) {
        batch.push(picture);
        if (batch.length < atATime && table.filled + batch.length < size) continue;
        // A picture that k of n scorers have scored is done by k/n.
        let begun = 0;
        const onScored = async (count: number) => {
          begun += count / this.#scorers.length;
          const imagesDone = table.filled + Math.floor(begun + 1e-6);
          const all = this.#pace.add(count / this.#scorers.length);
          await this.#notes.progress({ label, imagesDone, imagesTotal: size, ...all });
        };
        const scores = await scoreBatch(this.#parts.worker, this.#scorers, batch, this.#signal, onScored);
        const scored = { first: table.filled, count: batch.length, ...scores, ...stamp };
        await partial.append(scored);
        table.put(scored);
        batch = [];
        count("spin.evaluator.pictures", scored.count);
      }
    } finally {
      await partial.close();
    }
    return table;
  }

  async *#realPictures(first: number): AsyncGenerator<CaptionedPicture> {
    const { prompts, id } = this.#task;
    for (const [i, caption] of prompts.prompts.entries()) {
      if (i < first) continue;
      const image = await prompts.winner!(i);
      if (this.#shown.has(i)) {
        await this.#parts.store.savePicture(id, REAL_LABEL, i, await shrunk(await encodeImage(image)));
      }
      yield { image, caption };
    }
  }

  /** Has pictures rendered, keeps those that the report shows, and notes what they were rendered with. */
  async *#renderedPictures(
    { label, checkpoint }: CheckedSpec["checkpoints"][number],
    first: number,
    stamp: Stamp,
  ): AsyncGenerator<CaptionedPicture> {
    const { prompts, id, spec } = this.#task;
    const items = spec.seeds.flatMap((seed) =>
      prompts.prompts.map((prompt, i) => ({ prompt, seed: pictureSeed(seed, i) })),
    );
    const { checkpointDigest: digest, computeFingerprint } = stamp;
    const job = { ...spec, checkpoint: { ...checkpoint, digest }, items, computeFingerprint, first };
    for await (const { index, png, ...rendered } of renderPictures(this.#parts.generator, job, this.#signal)) {
      Object.assign(stamp, rendered);
      if (this.#shown.has(index)) {
        await this.#parts.store.savePicture(id, fileName(spec, label), index, await shrunk(png));
      }
      yield { image: await decodeImage(png), caption: prompts.prompts[index % prompts.prompts.length]! };
    }
  }

  #measured(label: string, checkpointDigest: string, { scores, similarities }: ScoreTable): PictureScores {
    const { prompts } = this.#task.prompts;
    return {
      label,
      checkpointDigest,
      protocol: this.#protocol(),
      prompts,
      scores,
      ...(similarities !== undefined && { similarities }),
    };
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

/** What pictures were rendered with. */
interface Stamp {
  checkpointDigest: string;
  computeFingerprint: string;
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

import { openModelFolder, requireComponent } from "../../core/checkpoint/model-folder.js";
import { SpinError } from "../../core/errors.js";
import * as ops from "../../core/graph/ops/index.js";
import type { Session, SessionOptions } from "../../core/graph/session.js";
import { clipImageEmbeds, clipTextEmbeds } from "../../core/models/clip/clip.js";
import type { ClipConfig } from "../../core/models/clip/config.js";
import { endPositions } from "../../core/models/clip/text.js";
import { type ClipTokenizer, loadClipTokenizer } from "../../core/models/clip/tokenizer.js";
import { createInference } from "../../core/runtime/inference.js";
import { cancelled } from "../../core/runtime/worker-host.js";
import { fitPicture } from "./fit-picture.js";
import type { CaptionedPicture, ScoredPictures, Scorer } from "./scorer.js";

/**
 * Every run has this many rows, the last filled up with repetitions, so that rounding never depends on how many there
 * are.
 */
const BATCH = 16;
/** Embeddings of prompts that are kept: each checkpoint of an evaluation is asked about the same ones. */
const MAX_KEPT_PROMPTS = 20_000;

/**
 * Opens a folder of transformers' CLIPModel with its tokenizer as a scorer of PickScore's form (Kirstain et al. 2023):
 * exp(logit_scale)·cos(prompt, picture).
 *
 * @throws SpinError `notFound`, `invalid` or `corrupt`, naming what is missing or wrong in the folder.
 */
export async function loadClipScorer(folder: string, options: SessionOptions = {}): Promise<Scorer> {
  const { config, weights } = requireComponent(await openModelFolder(folder), "clip");
  const tokenizer = await loadClipTokenizer(folder);
  const length = Math.min(tokenizer.modelMaxLength, config.text.maxPositionEmbeddings);
  if (tokenizer.vocabularySize > config.text.vocabSize) {
    const sizes = `${tokenizer.vocabularySize} tokens, its text_config ${config.text.vocabSize}`;
    throw new SpinError("invalid", `${folder}: the tokenizer has ${sizes}`, {
      file: folder,
      remedy: "take weights and tokenizer from the same model",
    });
  }
  const { imageSize } = config.vision;
  const pixels = ops.input("pixels", [BATCH, config.vision.numChannels, imageSize, imageSize]);
  const [ids, ends] = [ops.input("ids", [BATCH, length], "int64"), ops.input("ends", [BATCH], "int64")];
  const vision = await createInference((p) => ({ embeds: clipImageEmbeds(p, config, pixels) }), weights, options);
  const text = await createInference((p) => ({ embeds: clipTextEmbeds(p, config, ids, ends) }), weights, options);
  const [logitScale] = await weights.readFloat32("logit_scale");
  return new ClipScorer(folder, config, tokenizer, length, vision, text, Math.exp(logitScale!));
}

class ClipScorer implements Scorer {
  readonly #folder: string;
  readonly #config: ClipConfig;
  readonly #tokenizer: ClipTokenizer;
  readonly #length: number;
  readonly #vision: Session;
  readonly #text: Session;
  readonly #scale: number;
  /** Unit vectors by prompt. */
  readonly #prompts = new Map<string, Float32Array>();

  constructor(
    folder: string,
    config: ClipConfig,
    tokenizer: ClipTokenizer,
    length: number,
    vision: Session,
    text: Session,
    scale: number,
  ) {
    this.#folder = folder;
    this.#config = config;
    this.#tokenizer = tokenizer;
    this.#length = length;
    this.#vision = vision;
    this.#text = text;
    this.#scale = scale;
  }

  async score(pictures: readonly CaptionedPicture[], signal?: AbortSignal): Promise<ScoredPictures> {
    const width = this.#config.projectionDim;
    const embeddings = new Float32Array(pictures.length * width);
    for (let start = 0; start < pictures.length; start += BATCH) {
      if (signal?.aborted) throw cancelled("scoring");
      const part = pictures.slice(start, start + BATCH);
      embeddings.set((await this.#embedImages(part)).subarray(0, part.length * width), start * width);
    }
    await this.#embedPrompts(
      pictures.map(({ caption }) => caption),
      signal,
    );
    const similarities = Float32Array.from(pictures, ({ caption }, i) => {
      const picture = embeddings.subarray(i * width, (i + 1) * width);
      const cosine = dot(picture, this.#prompts.get(caption)!) / Math.sqrt(dot(picture, picture));
      if (Number.isFinite(cosine)) return cosine;
      throw new SpinError("internal", `the scorer ${this.#folder} gives "${caption}" the similarity ${cosine}`, {
        remedy: "replace the scorer: its weights do not make finite numbers",
      });
    });
    return { scores: similarities.map((cosine) => cosine * this.#scale), similarities, embeddings };
  }

  async release(): Promise<void> {
    await this.#vision.release();
    await this.#text.release();
  }

  /** [BATCH, width], of which the first rows are the pictures'. */
  async #embedImages(pictures: readonly CaptionedPicture[]): Promise<Float32Array> {
    const { imageSize, numChannels } = this.#config.vision;
    const size = numChannels * imageSize ** 2;
    const pixels = new Float32Array(BATCH * size);
    const rows = pictures.map(({ image }) => fitPicture(image, imageSize));
    for (let i = 0; i < BATCH; i++) pixels.set(rows[Math.min(i, rows.length - 1)]!, i * size);
    return (await this.#vision.run({ pixels })).embeds!;
  }

  /** Sees to it that every caption has its unit vector. */
  async #embedPrompts(captions: readonly string[], signal: AbortSignal | undefined): Promise<void> {
    const unknown = (): string[] => [...new Set(captions)].filter((caption) => !this.#prompts.has(caption));
    if (this.#prompts.size + unknown().length > MAX_KEPT_PROMPTS) this.#prompts.clear();
    const fresh = unknown();
    const width = this.#config.projectionDim;
    for (let start = 0; start < fresh.length; start += BATCH) {
      if (signal?.aborted) throw cancelled("scoring");
      const part = fresh.slice(start, start + BATCH);
      const ids = Array.from({ length: BATCH }, (_, i) =>
        this.#tokenizer.encode(part[Math.min(i, part.length - 1)]!, this.#length),
      );
      const feeds = {
        ids: BigInt64Array.from(
          ids.flatMap((row) => [...row]),
          BigInt,
        ),
        ends: endPositions(ids, this.#config.text),
      };
      const embeds = (await this.#text.run(feeds)).embeds!;
      for (const [i, caption] of part.entries()) {
        const row = embeds.slice(i * width, (i + 1) * width);
        const norm = Math.sqrt(dot(row, row));
        this.#prompts.set(
          caption,
          row.map((value) => value / norm),
        );
      }
    }
  }
}

function dot(a: Float32Array, b: Float32Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!;
  return sum;
}

import type { SafetensorsFile } from "../../core/checkpoint/safetensors.js";
import type { RgbImage } from "../../core/data/image.js";
import * as ops from "../../core/graph/ops/index.js";
import type { Session, SessionOptions } from "../../core/graph/session.js";
import { sizeOf } from "../../core/graph/value.js";
import { clipImageEmbeds, clipTextEmbeds } from "../../core/models/clip/clip.js";
import type { ClipConfig } from "../../core/models/clip/config.js";
import { endPositions } from "../../core/models/clip/text.js";
import type { ClipTokenizer } from "../../core/models/clip/tokenizer.js";
import { createInference } from "../../core/runtime/inference.js";
import { batchSize, inBatches } from "./batches.js";
import { fitPicture, type PictureFit } from "./fit-picture.js";

/** Embeddings of prompts that are kept: each checkpoint of an evaluation is asked about the same ones. */
const MAX_KEPT_PROMPTS = 20_000;

/** A CLIPModel: its configuration and its weights under transformers' names. */
export interface ClipModel {
  readonly config: ClipConfig;
  readonly weights: SafetensorsFile;
}

/** A CLIPModel's picture tower at work. */
export class ImageEmbedder {
  readonly width: number;
  readonly #session: Session;
  readonly #config: ClipConfig["vision"];
  readonly #fit: PictureFit;
  readonly #batch: number;

  private constructor(session: Session, config: ClipConfig, fit: PictureFit, batch: number) {
    this.width = config.projectionDim;
    this.#session = session;
    this.#config = config.vision;
    this.#fit = fit;
    this.#batch = batch;
  }

  static async load({ config, weights }: ClipModel, fit: PictureFit, options: SessionOptions): Promise<ImageEmbedder> {
    const batch = batchSize(parametersUnder(weights, "vision_model."), options.device);
    const { imageSize, numChannels } = config.vision;
    const pixels = ops.input("pixels", [batch, numChannels, imageSize, imageSize]);
    const session = await createInference((p) => ({ embeds: clipImageEmbeds(p, config, pixels) }), weights, options);
    return new ImageEmbedder(session, config, fit, batch);
  }

  /** @returns [pictures, width], not normalised */
  async embed(pictures: readonly RgbImage[], signal?: AbortSignal): Promise<Float32Array> {
    const { imageSize, numChannels } = this.#config;
    const size = numChannels * imageSize ** 2;
    const run = async (rows: readonly RgbImage[]) => {
      const pixels = new Float32Array(rows.length * size);
      for (const [i, image] of rows.entries()) {
        const isSame = i > 0 && image === rows[i - 1];
        if (isSame) pixels.copyWithin(i * size, (i - 1) * size, i * size);
        else pixels.set(fitPicture(image, imageSize, this.#fit), i * size);
      }
      return (await this.#session.run({ pixels })).embeds!;
    };
    return inBatches(pictures, this.#batch, run, signal);
  }

  release(): Promise<void> {
    return this.#session.release();
  }
}

/** A CLIPModel's text tower at work; what it made of a prompt is kept. */
export class TextEmbedder {
  readonly #session: Session;
  readonly #config: ClipConfig;
  readonly #tokenizer: ClipTokenizer;
  readonly #length: number;
  readonly #batch: number;
  /** Unit vectors by prompt. */
  readonly #kept = new Map<string, Float32Array>();

  private constructor(session: Session, config: ClipConfig, tokenizer: ClipTokenizer, length: number, batch: number) {
    this.#session = session;
    this.#config = config;
    this.#tokenizer = tokenizer;
    this.#length = length;
    this.#batch = batch;
  }

  /** @param tokenizer has no more tokens than the model. */
  static async load(
    { config, weights }: ClipModel,
    tokenizer: ClipTokenizer,
    options: SessionOptions,
  ): Promise<TextEmbedder> {
    const batch = batchSize(parametersUnder(weights, "text_model."), options.device);
    const length = Math.min(tokenizer.modelMaxLength, config.text.maxPositionEmbeddings);
    const [ids, ends] = [ops.input("ids", [batch, length], "int64"), ops.input("ends", [batch], "int64")];
    const session = await createInference((p) => ({ embeds: clipTextEmbeds(p, config, ids, ends) }), weights, options);
    return new TextEmbedder(session, config, tokenizer, length, batch);
  }

  /** @returns the prompts' unit vectors, in order. [width] each */
  async embed(prompts: readonly string[], signal?: AbortSignal): Promise<Float32Array[]> {
    const unknown = (): string[] => [...new Set(prompts)].filter((prompt) => !this.#kept.has(prompt));
    if (this.#kept.size + unknown().length > MAX_KEPT_PROMPTS) this.#kept.clear();
    const fresh = unknown();
    const run = async (rows: readonly string[]) => {
      const ids = rows.map((prompt) => this.#tokenizer.encode(prompt, this.#length));
      const all = BigInt64Array.from(
        ids.flatMap((row) => [...row]),
        BigInt,
      );
      return (await this.#session.run({ ids: all, ends: endPositions(ids, this.#config.text) })).embeds!;
    };
    const embeds = await inBatches(fresh, this.#batch, run, signal);
    const width = this.#config.projectionDim;
    for (const [i, prompt] of fresh.entries()) {
      const row = embeds.subarray(i * width, (i + 1) * width);
      const norm = Math.sqrt(dot(row, row));
      this.#kept.set(
        prompt,
        row.map((value) => value / norm),
      );
    }
    return prompts.map((prompt) => this.#kept.get(prompt)!);
  }

  release(): Promise<void> {
    return this.#session.release();
  }
}

export function dot(a: Float32Array, b: Float32Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!;
  return sum;
}

function parametersUnder(weights: SafetensorsFile, scope: string): number {
  return [...weights.tensors].reduce((sum, [name, { shape }]) => sum + (name.startsWith(scope) ? sizeOf(shape) : 0), 0);
}

import type { PictureSize } from "../core/data/prepare-image.js";
import { joinConditions, type TextConditions } from "../core/runtime/conditions.js";
import type { FloatTensor } from "../core/runtime/float-tensor.js";
import type { LatentPosterior } from "../core/runtime/latent-posterior.js";
import type { Pipeline } from "../core/runtime/pipeline.js";
import { ByteCache } from "./byte-cache.js";
import type { EncodedStore, EncodedTensors } from "./encoded-store.js";

/** A loaded model with the identity of the parts whose outputs may be kept: checkpoints of one run share them. */
export interface EncodingModel {
  readonly pipeline: Pick<Pipeline, "encodePrompts" | "zeroNegative" | "encodeImages">;
  /** Digest of text encoders and tokenizers. */
  readonly textDigest: string;
  /** Digest of the VAE. */
  readonly vaeDigest: string;
}

/** What is kept of a picture. */
export interface EncodedPicture {
  readonly posterior: LatentPosterior;
  /** Before it was prepared. */
  readonly originalSize: PictureSize;
}

/** A picture as the VAE takes it. */
export interface PreparedPicture {
  /** [1, 3, H, W], −1 black, 1 white. */
  readonly pixels: FloatTensor;
  readonly originalSize: PictureSize;
}

/** How often a kept result was there, and how often not. */
export interface CacheCounts {
  readonly hits: number;
  readonly misses: number;
}

/** How a kept result is written to disk and read from it. */
interface Form<V> {
  /** In memory. */
  readonly cache: ByteCache<V>;
  readonly toTensors: (value: V) => EncodedTensors;
  /** Undefined for tensors that are not a value's. */
  readonly fromTensors: (tensors: EncodedTensors) => V | undefined;
}

/** Captions to text conditions and pictures to latent distributions, computed once while they fit the bounds. */
export class ConditionEncoder {
  readonly #texts: Form<TextConditions>;
  readonly #pictures: Form<EncodedPicture>;
  readonly #disk: EncodedStore | undefined;
  #hits = 0;
  #misses = 0;

  /**
   * @param maxBytes bound of what is kept in memory, in bytes: half for captions, half for pictures
   * @param disk keeps what does not fit there, and what other processes have computed
   */
  constructor(maxBytes: number, disk?: EncodedStore) {
    this.#disk = disk;
    this.#texts = {
      cache: new ByteCache(maxBytes / 2),
      toTensors: ({ states, textEmbeds }) => ({ states, ...(textEmbeds === undefined ? {} : { textEmbeds }) }),
      fromTensors: ({ states, textEmbeds }) => states && { states, textEmbeds },
    };
    this.#pictures = {
      cache: new ByteCache(maxBytes / 2),
      toTensors: ({ posterior: { mean, logvar }, originalSize: { height, width } }) => {
        return { mean, logvar, originalSize: { shape: [2], data: Float32Array.of(height, width) } };
      },
      fromTensors: ({ mean, logvar, originalSize }) => {
        if (mean === undefined || logvar === undefined || originalSize?.data.length !== 2) return undefined;
        const [height, width] = originalSize.data as unknown as [number, number];
        return { posterior: { mean, logvar }, originalSize: { height, width } };
      },
    };
  }

  /** @returns counts since the last call. */
  takeCounts(): CacheCounts {
    const counts = { hits: this.#hits, misses: this.#misses };
    this.#hits = 0;
    this.#misses = 0;
    return counts;
  }

  /**
   * What prompts say to the UNet, N rows.
   * @param clipSkip layers to leave out at the text encoders' ends
   */
  async prompts(
    { pipeline, textDigest }: EncodingModel,
    prompts: readonly string[],
    clipSkip: number,
  ): Promise<TextConditions> {
    const rows: TextConditions[] = [];
    for (const prompt of prompts) {
      const compute = () => pipeline.encodePrompts([prompt], { clipSkip });
      rows.push(await this.#kept(this.#texts, `${textDigest} ${clipSkip} ${prompt}`, compute));
    }
    return joinConditions(rows);
  }

  /** What guidance leads away from, one row, as `Pipeline.encodeNegative`. */
  async negative(model: EncodingModel, negativePrompt: string | undefined): Promise<TextConditions> {
    const zeros = negativePrompt === undefined ? model.pipeline.zeroNegative() : undefined;
    return zeros ?? this.prompts(model, [negativePrompt ?? ""], 0);
  }

  /**
   * One picture with its latent distribution, [1, C, h, w]. Pictures go through the VAE one by one: what is kept must not depend on what
   * it was computed beside.
   *
   * @param key tells the picture and its preparation
   */
  picture(
    { pipeline, vaeDigest }: EncodingModel,
    key: string,
    prepare: () => Promise<PreparedPicture>,
  ): Promise<EncodedPicture> {
    const compute = async () => {
      const { pixels, originalSize } = await prepare();
      return { posterior: await pipeline.encodeImages(pixels), originalSize };
    };
    return this.#kept(this.#pictures, `${vaeDigest} ${key}`, compute);
  }

  async #kept<V>({ cache, toTensors, fromTensors }: Form<V>, key: string, compute: () => Promise<V>): Promise<V> {
    const known = cache.get(key);
    if (known !== undefined) {
      this.#hits += 1;
      return known;
    }
    const stored = await this.#disk?.get(key);
    const found = stored && fromTensors(stored);
    if (found === undefined) this.#misses += 1;
    else this.#hits += 1;
    const value = found ?? (await compute());
    const tensors = toTensors(value);
    const bytes = Object.values(tensors).reduce((sum, { data }) => sum + data.byteLength, 0);
    cache.set(key, value, bytes);
    if (found === undefined) await this.#disk?.set(key, tensors);
    return value;
  }
}

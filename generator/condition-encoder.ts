import type { PictureSize } from "../core/data/prepare-image.js";
import { joinConditions, type TextConditions } from "../core/runtime/conditions.js";
import type { FloatTensor } from "../core/runtime/float-tensor.js";
import type { LatentPosterior } from "../core/runtime/latent-posterior.js";
import type { Pipeline } from "../core/runtime/pipeline.js";
import { ByteCache } from "./byte-cache.js";

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

/** Captions to text conditions and pictures to latent distributions, computed once while they fit the bound. */
export class ConditionEncoder {
  readonly #texts: ByteCache<TextConditions>;
  readonly #pictures: ByteCache<EncodedPicture>;
  #hits = 0;
  #misses = 0;

  /** @param maxBytes bound of what is kept, in bytes: half for captions, half for pictures */
  constructor(maxBytes: number) {
    this.#texts = new ByteCache(maxBytes / 2);
    this.#pictures = new ByteCache(maxBytes / 2);
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
      const bytes = ({ states, textEmbeds }: TextConditions) =>
        states.data.byteLength + (textEmbeds?.data.byteLength ?? 0);
      rows.push(await this.#kept(this.#texts, `${textDigest} ${clipSkip} ${prompt}`, compute, bytes));
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
    const bytes = ({ posterior: { mean, logvar } }: EncodedPicture) => mean.data.byteLength + logvar.data.byteLength;
    return this.#kept(this.#pictures, `${vaeDigest} ${key}`, compute, bytes);
  }

  async #kept<V>(cache: ByteCache<V>, key: string, compute: () => Promise<V>, bytes: (value: V) => number): Promise<V> {
    const known = cache.get(key);
    if (known !== undefined) {
      this.#hits += 1;
      return known;
    }
    this.#misses += 1;
    const value = await compute();
    cache.set(key, value, bytes(value));
    return value;
  }
}

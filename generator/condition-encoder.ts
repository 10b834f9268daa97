import type { FloatTensor } from "../core/runtime/float-tensor.js";
import { joinRows } from "../core/runtime/float-tensor.js";
import type { LatentPosterior, Pipeline } from "../core/runtime/pipeline.js";
import { ByteCache } from "./byte-cache.js";

/** A loaded model with the identity of the parts whose outputs may be kept: checkpoints of one run share them. */
export interface EncodingModel {
  readonly pipeline: Pick<Pipeline, "encodePrompts" | "encodeImages">;
  /** Digest of text encoder and tokenizer. */
  readonly textDigest: string;
  /** Digest of the VAE. */
  readonly vaeDigest: string;
}

/** How often a kept result was there, and how often not. */
export interface CacheCounts {
  readonly hits: number;
  readonly misses: number;
}

/** Captions to text states and pictures to latent distributions, computed once while they fit the bound. */
export class ConditionEncoder {
  readonly #states: ByteCache<FloatTensor>;
  readonly #posteriors: ByteCache<LatentPosterior>;
  #hits = 0;
  #misses = 0;

  /** @param maxBytes bound of what is kept, in bytes: half for captions, half for pictures */
  constructor(maxBytes: number) {
    this.#states = new ByteCache(maxBytes / 2);
    this.#posteriors = new ByteCache(maxBytes / 2);
  }

  /** @returns counts since the last call. */
  takeCounts(): CacheCounts {
    const counts = { hits: this.#hits, misses: this.#misses };
    this.#hits = 0;
    this.#misses = 0;
    return counts;
  }

  /** @returns the text encoder's states of each prompt, [N, L, X]. */
  async states({ pipeline, textDigest }: EncodingModel, prompts: readonly string[]): Promise<FloatTensor> {
    const rows: FloatTensor[] = [];
    for (const prompt of prompts) {
      const key = `${textDigest} ${prompt}`;
      const compute = () => pipeline.encodePrompts([prompt]);
      rows.push(await this.#kept(this.#states, key, compute, (states) => states.data.byteLength));
    }
    return joinRows(
      rows.map(({ data }) => data),
      rows[0]!.shape.slice(1),
    );
  }

  /**
   * The latent distribution of one picture, [1, C, h, w]. Pictures go through the VAE one by one: what is kept must not depend on what
   * it was computed beside.
   *
   * @param key tells the picture and its preparation
   * @param pixels [1, 3, H, W], −1 black, 1 white
   */
  posterior(
    { pipeline, vaeDigest }: EncodingModel,
    key: string,
    pixels: () => Promise<FloatTensor>,
  ): Promise<LatentPosterior> {
    const compute = async () => pipeline.encodeImages(await pixels());
    const bytes = ({ mean, logvar }: LatentPosterior) => mean.data.byteLength + logvar.data.byteLength;
    return this.#kept(this.#posteriors, `${vaeDigest} ${key}`, compute, bytes);
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

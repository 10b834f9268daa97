import { requireComponent } from "../core/checkpoint/model-folder.js";
import { SpinError } from "../core/errors.js";
import type { SessionOptions } from "../core/graph/session.js";
import { vaeFactor } from "../core/models/vae/config.js";
import { Pipeline } from "../core/runtime/pipeline.js";
import type { InputModel } from "./batch-inputs.js";
import type { CheckpointFolder } from "./checkpoint-folder.js";
import type { FrozenModel } from "./draws.js";

/** A checkpoint in memory. */
export interface LoadedModel extends InputModel {
  readonly pipeline: Pipeline;
  readonly frozen: FrozenModel;
  /** Side of the pictures that it was made for, in pixels; undefined where its configuration does not say. */
  readonly nativeSize: number | undefined;
  /** Pixels per latent along a side. */
  readonly factor: number;
  readonly latentChannels: number;
  /** Numbers in the conditions of one sample. */
  readonly conditionSize: number;
}

/** Checkpoints in memory by digest; past a number, the one that was used longest ago is released. */
export class LoadedModels {
  readonly #session: Pick<SessionOptions, "threads" | "device">;
  readonly #capacity: number;
  // In order of last use.
  readonly #models = new Map<string, LoadedModel>();

  /** @param capacity 1 or more */
  constructor(session: Pick<SessionOptions, "threads" | "device">, capacity: number) {
    this.#session = session;
    this.#capacity = capacity;
  }

  /** Digests of what is loaded, most recently used first. */
  get digests(): string[] {
    return [...this.#models.keys()].reverse();
  }

  /** @throws SpinError as `Pipeline.load`, `notFound` where the folder lacks a component that sampling needs */
  async get(checkpoint: CheckpointFolder): Promise<LoadedModel> {
    const { digest } = checkpoint;
    const model = this.#models.get(digest) ?? (await this.#load(checkpoint));
    this.#models.delete(digest);
    this.#models.set(digest, model);
    return model;
  }

  /**
   * A second checkpoint, loaded without letting the first one go, which is loaded already.
   * @throws SpinError "precondition" where only one may be loaded, and as {@link get}
   */
  async beside(first: CheckpointFolder, second: CheckpointFolder): Promise<LoadedModel> {
    if (this.#capacity < 2 && first.digest !== second.digest) {
      throw new SpinError("precondition", "draws of an earlier iteration's opponent need two checkpoints in memory", {
        field: "spec.earlier_share",
        remedy: "set the generator's MAX_LOADED to 2 or more",
      });
    }
    return this.get(second);
  }

  async #load({ folder, textDigest, vaeDigest }: CheckpointFolder): Promise<LoadedModel> {
    for (const [digest, model] of this.#models) {
      if (this.#models.size < this.#capacity) break;
      this.#models.delete(digest);
      await model.pipeline.release();
    }
    const pipeline = await Pipeline.load(folder, this.#session);
    const unet = requireComponent(pipeline.model, "unet").config;
    const vae = requireComponent(pipeline.model, "vae").config;
    requireComponent(pipeline.model, pipeline.model.xl === undefined ? "textEncoder" : "textEncoder2");
    const scheduler = requireComponent(pipeline.model, "scheduler");
    const factor = vaeFactor(vae);
    return {
      pipeline,
      textDigest,
      vaeDigest,
      latentScaling: vae,
      nativeSize: unet.sampleSize === undefined ? undefined : unet.sampleSize * factor,
      factor,
      latentChannels: vae.latentChannels,
      conditionSize: pipeline.promptLength * unet.crossAttentionDim + (unet.textTime?.projectionInputDim ?? 0),
      frozen: {
        scheduler,
        denoise: pipeline.denoise.bind(pipeline),
        denoiser: pipeline.denoiser.bind(pipeline),
        sample: pipeline.sample.bind(pipeline),
      },
    };
  }
}

/**
 * A side of the pictures in pixels: the one asked for, or the one that the model was made for.
 * @param field name of the asked one in the request
 * @throws SpinError `invalid` where it does not suit the VAE, or must be named
 */
export function pictureSide({ nativeSize, factor }: LoadedModel, asked: number, field: string): number {
  const side = asked === 0 ? nativeSize : asked;
  if (side === undefined) {
    throw new SpinError("invalid", `${field}: the model's configuration names no size, got 0`, { field });
  }
  if (side % factor !== 0) {
    throw new SpinError("invalid", `${field}: expected a multiple of the VAE's factor ${factor}, got ${side}`, {
      field,
    });
  }
  return side;
}

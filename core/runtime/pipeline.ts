import { type ModelFolder, type OpenOptions, openModelFolder, requireComponent } from "../checkpoint/model-folder.js";
import type { SafetensorsFile } from "../checkpoint/safetensors.js";
import { guide, rescaleGuided } from "../diffusion/guidance.js";
import type { Sampler } from "../diffusion/sampler.js";
import * as ops from "../graph/ops/index.js";
import type { SessionOptions, TensorData } from "../graph/session.js";
import { type HalfDType, type Shape, sizeOf, type Value } from "../graph/value.js";
import { unet } from "../models/unet/unet.js";
import { vaeFactor } from "../models/vae/config.js";
import { unscaleLatents } from "../models/vae/latent-scaling.js";
import { vaeDecode, vaeEncode } from "../models/vae/vae.js";
import type { Parameters } from "../nn/parameters.js";
import { checkFit } from "./component-fit.js";
import {
  type Conditions,
  joinConditions,
  type PictureGeometry,
  type TextConditions,
  timeIds,
  type UnetConditions,
} from "./conditions.js";
import { chunksOf, type FloatTensor, joinRows } from "./float-tensor.js";
import { createInference } from "./inference.js";
import type { LatentPosterior } from "./latent-posterior.js";
import { SessionCache } from "./session-cache.js";
import {
  encodeText,
  leadingTokenizer,
  loadTokenizers,
  type RunTextEncoder,
  type Tokenizers,
  zeroText,
} from "./text-conditioning.js";

export interface PipelineOptions extends Pick<SessionOptions, "threads" | "device" | "profilePrefix">, OpenOptions {
  /** In what the UNet computes its products, where not in float32. */
  readonly unetPrecision?: HalfDType;
  /** Compiled networks to keep, one per network and batch shape; 8 where not said. */
  readonly maxSessions?: number;
}

/** What the UNet says of noisy latents; all [B, C, H, W]. */
export interface Prediction {
  /** uncond + w (cond − uncond), rescaled where asked for, or the conditional prediction without guidance; an array of its own. */
  readonly guided: Float32Array;
  /** With the prompt. Valid until the next prediction. */
  readonly conditional: Float32Array;
  /** With the empty or negative prompt; absent without guidance. Valid until the next prediction. */
  readonly unconditional?: Float32Array;
}

/** A UNet bound to its conditions. @param latents [B, C, H, W], scaled as the sampler wants it */
export type Denoiser = (latents: Float32Array, timestep: number) => Promise<Prediction>;

export interface SampleOptions extends Conditions {
  /** [B, C, H, W], standard normal. */
  readonly latents: FloatTensor;
  readonly sampler: Sampler;
  /** Noise of step i, [B, C, H, W], for samplers that add some. */
  readonly noise?: (index: number) => Float32Array;
  /** Called after each step; the event loop has turned since the last one. What it throws ends the sampling. */
  readonly onStep?: (step: SamplingStep) => Promise<void> | void;
}

export interface SamplingStep {
  readonly index: number;
  readonly timestep: number;
  readonly prediction: Prediction;
  /** After the step, [B, C, H, W]. */
  readonly latents: Float32Array;
}

/** Pixels that go through the VAE together: 8 pictures of 64×64, or one of 256×256 and more. */
const PIXELS_AT_ONCE = 8 * 64 * 64;

/**
 * A text-to-image model from a diffusers folder: prompts to states, noise to latents, latents to images and back. Networks are
 * compiled per batch shape when first needed. Runs block the calling thread: services hold a pipeline in a worker.
 *
 * What text encoder and VAE give depends on the prompt or picture alone and may be cached; the UNet runs on the whole batch, both
 * halves of guidance together, and may round a little differently with each batch size.
 */
export class Pipeline {
  readonly model: ModelFolder;
  readonly #options: PipelineOptions;
  readonly #sessions: SessionCache;
  readonly #tokenizers: Tokenizers;

  private constructor(model: ModelFolder, tokenizers: Tokenizers, options: PipelineOptions) {
    this.model = model;
    this.#tokenizers = tokenizers;
    this.#options = options;
    this.#sessions = new SessionCache(options.maxSessions ?? 8);
  }

  /**
   * Opens a model folder, or takes one that is open. A component that is missing is an error when it is first needed: a UNet alone can denoise.
   * @throws SpinError "notFound", "corrupt" or "invalid" naming path, key or tensor, or the components that do not fit together.
   */
  static async load(folder: string | ModelFolder, options: PipelineOptions = {}): Promise<Pipeline> {
    const model = typeof folder === "string" ? await openModelFolder(folder, options) : folder;
    const tokenizers = await loadTokenizers(model);
    checkFit(model, tokenizers);
    return new Pipeline(model, tokenizers, options);
  }

  /** @returns ids of each prompt, as long as the (first) tokenizer says. */
  tokenize(prompts: readonly string[]): Int32Array[] {
    const tokenizer = leadingTokenizer(this.model, this.#tokenizers);
    return prompts.map((prompt) => tokenizer.encode(prompt));
  }

  /** Token ids, and so text states, per prompt. @throws SpinError "notFound" where the folder has no tokenizer */
  get promptLength(): number {
    return leadingTokenizer(this.model, this.#tokenizers).modelMaxLength;
  }

  /**
   * What prompts say to the UNet, as {@link encodeText} of each.
   * @param clipSkip layers to leave out at the end of the text encoders
   */
  async encodePrompts(prompts: readonly string[], { clipSkip = 0 } = {}): Promise<TextConditions> {
    const known = new Map<string, TextConditions>();
    for (const prompt of prompts) {
      if (!known.has(prompt)) {
        const run: RunTextEncoder = (...args) => this.#run(...args);
        known.set(prompt, await encodeText(this.model, this.#tokenizers, prompt, clipSkip, run));
      }
    }
    return joinConditions(prompts.map((prompt) => known.get(prompt)!));
  }

  /**
   * What guidance leads away from, one row: the negative prompt, else what diffusers takes in its place: {@link zeroNegative}, or the empty
   * prompt. As in diffusers, no layers are left out here.
   */
  async encodeNegative(negativePrompt?: string): Promise<TextConditions> {
    const zeros = negativePrompt === undefined ? this.zeroNegative() : undefined;
    return zeros ?? this.encodePrompts([negativePrompt ?? ""]);
  }

  /** Zeros, one row, for SDXL models whose index says `force_zeros_for_empty_prompt`; undefined for others. */
  zeroNegative(): TextConditions | undefined {
    return this.model.xl?.forceZerosForEmptyPrompt ? zeroText(this.model, this.#tokenizers) : undefined;
  }

  /** SDXL's `time_ids` of pictures, [N, 6]; none for models that know of no sizes. */
  timeIds(pictures: readonly PictureGeometry[]): Pick<UnetConditions, "timeIds"> {
    return this.model.unet?.config.textTime === undefined ? {} : { timeIds: timeIds(pictures) };
  }

  /** @param images [N, 3, H, W], −1 black, 1 white. */
  async encodeImages(images: FloatTensor): Promise<LatentPosterior> {
    const { config } = requireComponent(this.model, "vae");
    const [, , height, width] = images.shape as [number, number, number, number];
    const build = (p: Parameters, x: Value) => ({ ...vaeEncode(p, config, x) });
    const each = await this.#runVae("encode", images, height * width, build);
    const factor = vaeFactor(config);
    const shape = [config.latentChannels, Math.floor(height / factor), Math.floor(width / factor)];
    const parts = (name: string) => each.map((outputs) => outputs[name]!);
    return { mean: joinRows(parts("mean"), shape), logvar: joinRows(parts("logvar"), shape) };
  }

  /**
   * @param latents [N, C, h, w], scaled, as the UNet has them
   * @returns images [N, 3, H, W], about −1 to 1, not clamped.
   */
  async decode(latents: FloatTensor): Promise<FloatTensor> {
    const { config } = requireComponent(this.model, "vae");
    const [, , h, w] = latents.shape as [number, number, number, number];
    const [height, width] = [h * vaeFactor(config), w * vaeFactor(config)];
    const build = (p: Parameters, x: Value) => ({ image: vaeDecode(p, config, unscaleLatents(x, config)) });
    const each = await this.#runVae("decode", latents, height * width, build);
    return joinRows(
      each.map(({ image }) => image!),
      [config.outChannels, height, width],
    );
  }

  /**
   * The UNet's output, noise or velocity, for a batch.
   *
   * @param latents [B, C, H, W]
   * @param timesteps [B]
   * @param conditions B rows
   * @param into where to write it, [B, C, H, W]; an array of its own otherwise
   */
  async denoise(
    latents: FloatTensor,
    timesteps: Float32Array,
    { states, textEmbeds, timeIds: ids }: UnetConditions,
    into?: Float32Array,
  ): Promise<Float32Array> {
    const { config, weights } = requireComponent(this.model, "unet");
    const build = (p: Parameters) => ({
      prediction: unet(p, config, {
        sample: ops.input("sample", latents.shape),
        timestep: ops.input("timestep", [latents.shape[0]!]),
        encoderHiddenStates: ops.input("states", states.shape),
        added: textEmbeds &&
          ids && { textEmbeds: ops.input("text_embeds", textEmbeds.shape), timeIds: ops.input("time_ids", ids.shape) },
      }),
    });
    const added = textEmbeds && ids && { text_embeds: textEmbeds.data, time_ids: ids.data };
    const feeds = { sample: latents.data, timestep: timesteps, states: states.data, ...added };
    const key = `unet ${latents.shape.join("x")} ${states.shape[1]}`;
    const { prediction } = await this.#run(key, weights, build, feeds, into === undefined ? {} : { prediction: into });
    return prediction!;
  }

  /**
   * The UNet under fixed conditions, for many timesteps: buffers are made once, and both halves of guidance are one run.
   *
   * @param shape [B, C, H, W] of the latents
   */
  denoiser({ guidance, ...conditions }: Conditions, shape: Shape): Denoiser {
    const [batch, ...rest] = shape as [number, ...number[]];
    if (guidance === undefined || guidance.scale === 1) {
      const timesteps = new Float32Array(batch);
      return async (latents, timestep) => {
        const output = await this.denoise({ shape, data: latents }, timesteps.fill(timestep), conditions);
        return { guided: output, conditional: output };
      };
    }
    // diffusers' order: without the prompt, then with it.
    const both = { shape: [2 * batch, ...rest], data: new Float32Array(2 * sizeOf(shape)) };
    const twice = joinConditions([guidance, conditions]);
    const timesteps = new Float32Array(2 * batch);
    const outputs = new Float32Array(both.data.length);
    const [unconditional, conditional] = [outputs.subarray(0, sizeOf(shape)), outputs.subarray(sizeOf(shape))];
    return async (latents, timestep) => {
      both.data.set(latents);
      both.data.set(latents, latents.length);
      await this.denoise(both, timesteps.fill(timestep), twice, outputs);
      const guided = guide(unconditional, conditional, guidance.scale);
      return {
        guided: guidance.rescale ? rescaleGuided(guided, conditional, guidance.rescale, batch) : guided,
        conditional,
        unconditional,
      };
    };
  }

  /** Walks from noise to latents with a sampler. @returns [B, C, H, W], scaled, ready for {@link decode}. */
  async sample({ latents, sampler, noise, onStep, ...conditions }: SampleOptions): Promise<FloatTensor> {
    const { shape } = latents;
    const denoiser = this.denoiser(conditions, shape);
    let x: Float32Array = latents.data.map((value) => value * sampler.initNoiseSigma);
    for (const [index, timestep] of sampler.timesteps.entries()) {
      const prediction = await denoiser(sampler.scaleModelInput(x, index), timestep);
      x = sampler.step(prediction.guided, index, x, sampler.needsNoise(index) ? noise?.(index) : undefined);
      await onStep?.({ index, timestep, prediction, latents: x });
    }
    return { shape, data: x };
  }

  /** Releases the compiled networks; nothing can run afterwards. */
  async release(): Promise<void> {
    await this.#sessions.release();
  }

  /** Small pictures several at a time, which is faster and, as measured on CPUs, gives each the same bits as alone. */
  async #runVae(
    name: string,
    x: FloatTensor,
    pixels: number,
    build: (p: Parameters, x: Value) => Readonly<Record<string, Value>>,
  ): Promise<Record<string, Float32Array>[]> {
    const { weights } = requireComponent(this.model, "vae");
    const outputs: Record<string, Float32Array>[] = [];
    for (const { shape, data } of chunksOf(x, Math.max(1, Math.min(8, Math.floor(PIXELS_AT_ONCE / pixels))))) {
      const key = `${name} ${shape.join("x")}`;
      outputs.push(await this.#run(key, weights, (p) => build(p, ops.input("x", shape)), { x: data }));
    }
    return outputs;
  }

  async #run(
    key: string,
    weights: SafetensorsFile,
    build: (p: Parameters) => Readonly<Record<string, Value>>,
    feeds: Readonly<Record<string, TensorData>>,
    into: Readonly<Record<string, TensorData>> = {},
  ): Promise<Record<string, Float32Array>> {
    const { threads, device, profilePrefix, unetPrecision } = this.#options;
    const precision = key.startsWith("unet ") ? unetPrecision : undefined;
    const create = () => createInference(build, weights, { threads, device, profilePrefix, precision });
    return this.#sessions.use(key, create, (session) => session.run(feeds, into));
  }
}

import type { Manifest } from "../../core/checkpoint/manifest.js";
import { type ModelFolder, openModelFolder, requireComponent } from "../../core/checkpoint/model-folder.js";
import {
  type PipelineCheckpoint,
  savePipelineCheckpoint,
  type WeightsDtype,
} from "../../core/checkpoint/pipeline-checkpoint.js";
import { roundingNorm } from "../../core/checkpoint/rounding.js";
import { readWeights } from "../../core/checkpoint/weights.js";
import {
  buildObjective,
  type ObjectiveSettings,
  type ObjectiveShapes,
} from "../../core/diffusion/objectives/objective.js";
import type { SchedulerConfig } from "../../core/diffusion/scheduler-config.js";
import { SpinError } from "../../core/errors.js";
import type { SessionOptions } from "../../core/graph/session.js";
import { loadClipTokenizer } from "../../core/models/clip/tokenizer.js";
import { unet } from "../../core/models/unet/unet.js";
import { vaeFactor } from "../../core/models/vae/config.js";
import { type Feeds, type Outputs, Training, type UpdateOptions, type UpdateResult } from "../../core/nn/training.js";
import { addedWidths } from "../../core/runtime/conditions.js";

/** What the trainer must know of a model before any draws come. */
export interface ModelFacts {
  readonly latentChannels: number;
  /** Height and width of the latents that the model was made for, where it says so. */
  readonly sampleSize: number | undefined;
  /** Pixels per latent, along each side. */
  readonly vaeFactor: number;
  /** Length of the text states. */
  readonly tokens: number;
  /** Their width. */
  readonly width: number;
  /** Widths of SDXL's further conditions; absent for models without. */
  readonly added?: ObjectiveShapes["added"];
  readonly scheduler: SchedulerConfig;
  /** What a person should know of how the folder was opened. */
  readonly notes: readonly string[];
}

/** How the graph is built. */
export interface BuildOptions {
  readonly kind: ObjectiveSettings["kind"];
  readonly shapes: ObjectiveShapes;
  readonly session: Pick<SessionOptions, "threads" | "device">;
}

/** Of one micro-batch of M draws. */
export interface MicroBatchResult {
  readonly loss: number;
  /** Mean squared errors of θ on the real side, [M]. */
  readonly realError: Float32Array;
  /** On the synthetic side, [M]; absent for SFT, as the next. */
  readonly syntheticError?: Float32Array;
  /** Arguments of the logistic, [M]. */
  readonly inside?: Float32Array;
}

/** A written checkpoint. */
export interface SavedWeights {
  readonly manifest: Manifest;
  /** How far rounding to 16 bits, where the base has such weights, moved them: a share of the way that training has gone. */
  readonly roundingShare: number;
}

/** θ and its optimiser: everything that holds weights. Blocks its thread while it computes. */
export class Learner {
  readonly facts: ModelFacts;
  readonly #model: ModelFolder;
  #training: Training | undefined;
  /** Length of the way from θ_k, step by step. */
  #travelled = 0;

  private constructor(model: ModelFolder, facts: ModelFacts) {
    this.#model = model;
    this.facts = facts;
  }

  /** Opens the folder of θ_k. @throws SpinError as `openModelFolder`, and "notFound" for a part that is missing */
  static async open(folder: string): Promise<Learner> {
    const model = await openModelFolder(folder);
    const { config } = requireComponent(model, "unet");
    const tokenizer = await loadClipTokenizer(model.tokenizer2 ?? requireComponent(model, "tokenizer"));
    return new Learner(model, {
      latentChannels: config.inChannels,
      sampleSize: config.sampleSize,
      vaeFactor: vaeFactor(requireComponent(model, "vae").config),
      tokens: tokenizer.modelMaxLength,
      width: config.crossAttentionDim,
      added: addedWidths(config.textTime),
      scheduler: requireComponent(model, "scheduler"),
      notes: model.notes ?? [],
    });
  }

  /** Makes the graph and reads the weights. */
  async build({ kind, shapes, session }: BuildOptions): Promise<void> {
    const { config, weights } = requireComponent(this.#model, "unet");
    const values = await readWeights(weights);
    this.#training = await Training.create(
      (p) =>
        buildObjective(
          { kind },
          (sample, timestep, encoderHiddenStates, added) =>
            unet(p, config, { sample, timestep, encoderHiddenStates, added }),
          shapes,
        ),
      (name) => values.get(name)!,
      session,
    );
  }

  /** Adds a micro-batch to the step at hand. */
  async add(feeds: Feeds): Promise<MicroBatchResult> {
    const outputs: Partial<Outputs> = await this.#built().add(feeds);
    // Copies: the runtime's own buffers cannot be handed to another thread.
    return {
      loss: outputs.loss![0]!,
      realError: outputs.real_error!.slice(),
      syntheticError: outputs.synthetic_error?.slice(),
      inside: outputs.inside?.slice(),
    };
  }

  /** Ends the step. @throws SpinError "invalid" for a gradient that is not finite */
  update(options: UpdateOptions): UpdateResult {
    const result = this.#built().update(options);
    this.#travelled += result.updateNorm;
    return result;
  }

  /**
   * Writes θ as a checkpoint beside the unchanged parts of θ_k's folder.
   * @throws SpinError "precondition" where θ is still θ_k, and as `savePipelineCheckpoint`
   */
  async save(target: string, dtype: WeightsDtype, extra: PipelineCheckpoint["extra"]): Promise<SavedWeights> {
    if (this.#travelled === 0) {
      throw new SpinError("precondition", "the weights are those that the iteration began with", {
        remedy: "a warm-up makes the first step's learning rate 0: take more steps or a higher rate",
      });
    }
    const unet = this.#built().weights.views;
    const manifest = await savePipelineCheckpoint(target, { base: this.#model, unet, dtype, extra });
    const rounded = dtype === "source" ? roundingNorm(requireComponent(this.#model, "unet").weights, unet) : 0;
    return { manifest, roundingShare: rounded / this.#travelled };
  }

  /** Lets the graph go; the thread may end afterwards. */
  async release(): Promise<void> {
    await this.#training?.release();
    this.#training = undefined;
  }

  #built(): Training {
    if (this.#training === undefined) throw new SpinError("internal", "the training graph is not built");
    return this.#training;
  }
}

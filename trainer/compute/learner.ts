import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { type Manifest, TRAINING_STATE_FOLDER } from "../../core/checkpoint/manifest.js";
import { type ModelFolder, openModelFolder, requireComponent } from "../../core/checkpoint/model-folder.js";
import {
  type PipelineCheckpoint,
  savePipelineCheckpoint,
  type WeightsDtype,
} from "../../core/checkpoint/pipeline-checkpoint.js";
import { roundingNorm } from "../../core/checkpoint/rounding.js";
import { readTrainingState, saveTrainingState, type TrainingFacts } from "../../core/checkpoint/training-state.js";
import { writeSafetensors } from "../../core/checkpoint/write-safetensors.js";
import {
  buildObjective,
  type Denoise,
  type ObjectiveForm,
  type ObjectiveShapes,
} from "../../core/diffusion/objectives/objective.js";
import { addTrajectories } from "../../core/diffusion/objectives/spin-exact.js";
import type { SchedulerConfig } from "../../core/diffusion/scheduler-config.js";
import { SpinError } from "../../core/errors.js";
import type { Shape } from "../../core/graph/value.js";
import { loadClipTokenizer } from "../../core/models/clip/tokenizer.js";
import { vaeFactor } from "../../core/models/vae/config.js";
import { MovingAverage } from "../../core/nn/ema.js";
import type {
  Feeds,
  Outputs,
  Training,
  TrainingOptions,
  TrainingPrecision,
  UpdateOptions,
  UpdateResult,
} from "../../core/nn/training.js";
import { addedWidths } from "../../core/runtime/conditions.js";
import { createUnetTraining } from "../../core/runtime/unet-training.js";
import { cancelled } from "../../core/runtime/worker-host.js";
import { Adapter, type AdapterOptions } from "./adapter.js";

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
  readonly objective: ObjectiveForm;
  readonly shapes: ObjectiveShapes;
  readonly session: Pick<TrainingOptions, "threads" | "device" | "memoryBudgetMb">;
  /** What products are computed in; float32 where nothing is said. */
  readonly precision?: TrainingPrecision;
  /** Publishes moving averages of what is trained, with this decay. */
  readonly emaDecay?: number;
  /** Trains an adapter in place of all weights. */
  readonly adapter?: AdapterOptions;
}

/** Of one micro-batch of M draws, or of the micro-batches of whole trajectories. */
export interface MicroBatchResult {
  readonly loss: number;
  /** Mean squared errors of θ on the real side, [M]. */
  readonly realError: Float32Array;
  /** On the synthetic side, [M]; absent for SFT, as the next. */
  readonly syntheticError?: Float32Array;
  /** Margins, [M]; of whole trajectories, one for each. */
  readonly inside?: Float32Array;
}

/** Which job a training state belongs to. */
export type StateIdentity = Pick<TrainingFacts, "baseDigest" | "samplingSpecDigest">;

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
  /** What is trained, where it is not all weights. */
  #adapter: Adapter | undefined;
  /** Length of the way from θ_k, step by step. */
  #travelled = 0;
  #average: MovingAverage | undefined;

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

  /** Makes the graph and reads the weights. @throws SpinError as `Adapter.start` and `createUnetTraining` */
  async build({ objective: form, shapes, session, adapter, precision, emaDecay }: BuildOptions): Promise<void> {
    this.#adapter = adapter && (await Adapter.start(this.#model.path, adapter));
    const network = requireComponent(this.#adapter?.model ?? this.#model, "unet");
    const objective = (denoise: Denoise) => buildObjective(form, denoise, shapes);
    this.#training = await createUnetTraining(network, objective, {
      session,
      precision,
      lora: this.#adapter?.initial,
    });
    if (emaDecay !== undefined) this.#average = new MovingAverage(this.#training.weights.views, emaDecay);
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

  /**
   * Adds whole trajectories to the step at hand, by equation 4.8's two passes.
   * @param numSteps draws of each
   * @param signal checked between two runs of the graph
   */
  addTrajectories(microBatches: readonly Feeds[], numSteps: number, signal: AbortSignal): Promise<MicroBatchResult> {
    return addTrajectories(this.#built(), microBatches, numSteps, () => {
      if (signal.aborted) throw cancelled("the step");
    });
  }

  /** Ends the step. @throws SpinError "diverged" for a gradient that is not finite */
  update(options: UpdateOptions): UpdateResult {
    const result = this.#built().update(options);
    this.#travelled += result.updateNorm;
    // What was left out is no update.
    if (result.updateNorm > 0) this.#average?.update(this.#built().weights.views);
    return result;
  }

  /**
   * Writes θ, or its moving average with θ itself among the training state, as a checkpoint beside the unchanged parts of θ_k's folder: an adapter's weights merged, and the adapter too.
   * @throws SpinError "precondition" where θ is still θ_k, and as `savePipelineCheckpoint`
   */
  async save(target: string, dtype: WeightsDtype, extra: PipelineCheckpoint["extra"]): Promise<SavedWeights> {
    const raw = this.#built().weights.views;
    const weights = this.#average?.views ?? raw;
    const adapter = this.#adapter;
    const { weights: latest } = requireComponent(this.#model, "unet");
    if (this.#travelled === 0 || (await adapter?.differs(weights, latest)) === false) {
      throw new SpinError("precondition", "the weights are those that the iteration began with", {
        remedy: "a warm-up makes the first step's learning rate 0: take more steps or a higher rate",
      });
    }
    const withRaw = async (folder: string): Promise<void> => {
      await extra?.(folder);
      if (this.#average !== undefined) await writeRawWeights(folder, raw, this.#built().shapes);
    };
    if (adapter === undefined) {
      const manifest = await savePipelineCheckpoint(target, {
        base: this.#model,
        unet: weights,
        dtype,
        extra: withRaw,
      });
      const rounded = dtype === "source" ? roundingNorm(latest, weights) : 0;
      return { manifest, roundingShare: rounded / this.#travelled };
    }
    const manifest = await savePipelineCheckpoint(target, {
      base: adapter.model,
      unet: adapter.merged(weights),
      dtype: "F32", // A and B are what is trained: the next iteration begins with exactly what is merged here
      extra: async (folder) => {
        await adapter.write(folder, weights);
        await withRaw(folder);
      },
    });
    return { manifest, roundingShare: 0 };
  }

  /**
   * Saves everything that the next step depends on, between two steps.
   * @param folder of this iteration's states
   * @throws SpinError as `saveTrainingState`
   */
  async saveState(folder: string, facts: Omit<TrainingFacts, "scalars">): Promise<void> {
    const training = this.#built();
    const averaged = this.#average?.updates ?? 0;
    const scalars = { ...training.scalars, travelled: this.#travelled, averaged };
    await saveTrainingState(folder, { facts: { ...facts, scalars }, tensors: this.#stateTensors() });
  }

  /** Weights and moments, and averages where they are kept. */
  #stateTensors(): ReadonlyMap<string, Float32Array> {
    const tensors = new Map(this.#built().stateTensors());
    for (const [name, average] of this.#average?.views ?? []) tensors.set(`ema.${name}`, average);
    return tensors;
  }

  /**
   * Goes on from a saved state.
   * @param expected the job; an empty digest: any
   * @returns the step that it was saved after
   * @throws SpinError as `readTrainingState`, and "precondition" where it belongs to another job; nothing has changed then
   */
  async restoreState(folder: string, expected: StateIdentity): Promise<number> {
    const training = this.#built();
    const check = (facts: StateIdentity) => {
      for (const key of ["baseDigest", "samplingSpecDigest"] as const) {
        if (expected[key] === "" || facts[key] === expected[key]) continue;
        const message = `${folder} belongs to another job: ${key} is ${facts[key]}, expected ${expected[key]}`;
        throw new SpinError("precondition", message, { file: folder });
      }
    };
    const { step, scalars } = await readTrainingState(folder, this.#stateTensors(), check);
    training.scalars = scalars;
    if (this.#average !== undefined) this.#average.updates = scalars.averaged!;
    this.#travelled = scalars.travelled!;
    return step;
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

/** Where a checkpoint of averages keeps the weights that training itself has reached. */
const RAW_WEIGHTS = join(TRAINING_STATE_FOLDER, "raw_weights.safetensors");

async function writeRawWeights(
  folder: string,
  weights: Training["weights"]["views"],
  shapes: ReadonlyMap<string, Shape>,
): Promise<void> {
  await mkdir(join(folder, TRAINING_STATE_FOLDER), { recursive: true });
  const entries = [...weights].map(([name, data]) => ({ name, dtype: "F32" as const, shape: shapes.get(name)!, data }));
  await writeSafetensors(join(folder, RAW_WEIGHTS), entries, { format: "pt" });
}

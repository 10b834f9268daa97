import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { TRAINING_STATE_FOLDER } from "../../core/checkpoint/manifest.js";
import type { WeightsDtype } from "../../core/checkpoint/pipeline-checkpoint.js";
import { SpinError } from "../../core/errors.js";
import type { Feeds, UpdateOptions, UpdateResult } from "../../core/nn/training.js";
import { serveWorker } from "../../core/runtime/worker-host.js";
import { LINEAGE_FILE } from "../lineage.js";
import { type BuildOptions, Learner, type MicroBatchResult, type ModelFacts, type SavedWeights } from "./learner.js";

/** What is written where. */
export interface SaveRequest {
  readonly target: string;
  /** Content of the lineage file. */
  readonly lineage: string;
  readonly dtype: WeightsDtype;
}

/** Micro-batches that whole trajectories fill. */
export interface TrajectoriesRequest {
  readonly microBatches: readonly Feeds[];
  /** Draws of each trajectory. */
  readonly numSteps: number;
}

/** What the main thread may ask; weights never cross. Called in this order, one iteration per worker. */
export type ComputeMethods = {
  /** Opens the folder of θ_k. */
  open(folder: string): Promise<ModelFacts>;
  /** Makes the graph and reads the weights: seconds. */
  build(options: BuildOptions): Promise<void>;
  /** Adds a micro-batch to the step at hand. */
  add(feeds: Feeds): Promise<MicroBatchResult>;
  /** Adds whole trajectories to the step at hand. */
  addTrajectories(request: TrajectoriesRequest, signal: AbortSignal): Promise<MicroBatchResult>;
  /** Ends the step. */
  update(options: UpdateOptions): Promise<UpdateResult>;
  /** Writes θ as a checkpoint, with its lineage beside it. */
  save(request: SaveRequest): Promise<SavedWeights>;
  /** Lets everything go. */
  close(): Promise<void>;
};

let learner: Learner | undefined;

function opened(): Learner {
  if (learner === undefined) throw new SpinError("internal", "no model is open");
  return learner;
}

const methods: ComputeMethods = {
  async open(folder) {
    learner = await Learner.open(folder);
    return learner.facts;
  },
  build: (options) => opened().build(options),
  add: (feeds) => opened().add(feeds),
  addTrajectories: ({ microBatches, numSteps }, signal) => opened().addTrajectories(microBatches, numSteps, signal),
  update: async (options) => opened().update(options),
  save: ({ target, lineage, dtype }) =>
    opened().save(target, dtype, async (folder) => {
      await mkdir(join(folder, TRAINING_STATE_FOLDER));
      await writeFile(join(folder, LINEAGE_FILE), lineage);
    }),
  async close() {
    await learner?.release();
    learner = undefined;
  },
};
serveWorker(methods);

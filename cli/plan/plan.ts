import { availableParallelism } from "node:os";
import { join } from "node:path";
import { requireComponent } from "../../core/checkpoint/model-folder.js";
import { openDataset } from "../../core/data/open-dataset.js";
import { SpinError } from "../../core/errors.js";
import { sizeOf } from "../../core/graph/value.js";
import { unetParameterShapes } from "../../core/models/parameter-shapes.js";
import { vaeFactor } from "../../core/models/vae/config.js";
import { Pipeline } from "../../core/runtime/pipeline.js";
import { formatSeconds } from "../progress.js";
import { iterationsOf } from "../recipe/iterations.js";
import type { Recipe } from "../recipe/recipe-schema.js";
import { keepEstimate } from "./accuracy.js";
import { countIteration, type IterationCounts } from "./counts.js";
import { iterationSeconds } from "./duration.js";
import { type OpenedModel, type ProbeResult, probe } from "./probe.js";

export interface PlanSettings {
  /** Models of the services, on this machine. */
  readonly modelDir: string;
  readonly dataDir: string;
  readonly dataIndexDir: string;
  /** Where estimates are kept for the run's report. */
  readonly stateDir: string;
  /** Folder of the model where the recipe's base is none of `modelDir`. */
  readonly model?: string;
  /** Whether anything is measured. */
  readonly probe: boolean;
  /** Of each service; default: half of the cores. */
  readonly threads?: number;
}

/** What a recipe will take, as it is printed under --json. */
export interface Plan {
  readonly recipe: string;
  readonly model: { readonly folder: string; readonly parameters: number; readonly latent: readonly number[] };
  /** Items of the data set; absent where it is not on this machine. */
  readonly dataset_size?: number;
  readonly iterations: readonly (IterationCounts & { readonly seconds?: number })[];
  /** Sampled and scored for selection and evaluation. */
  readonly evaluation_evaluations: number;
  readonly wire_bytes: number;
  /** Absent without a probe. */
  readonly probe?: ProbeResult;
  readonly training_seconds?: number;
  readonly threads: number;
}

/** Threads of each service where trainer and generator share a machine: more would only wait for each other. */
export function localThreads(): number {
  return Math.max(1, Math.floor(availableParallelism() / 2));
}

/** Counts what a recipe will do, and measures how fast it would go here. */
export async function plan(recipe: Recipe, settings: PlanSettings): Promise<Plan> {
  const threads = settings.threads ?? localThreads();
  const iterations = iterationsOf(recipe);
  const { folder, opened } = await openModel(recipe, settings, threads);
  try {
    const data = { folders: { dataDir: settings.dataDir, indexDir: settings.dataIndexDir } };
    const size = await openDataset(recipe.dataset, recipe.split, data).then(
      (set) => set.size,
      () => undefined,
    );
    const counted = iterations.map((one) => countIteration(one, opened));
    const judged = [recipe.select, recipe.evaluation].map((judging, i) => {
      if (judging === undefined) return 0;
      const checkpoints = i === 0 ? savedBy(iterations[0]!) : recipe.select === undefined ? 1 + iterations.length : 2;
      return checkpoints * judging.maxPrompts * judging.steps * (judging.guidance === 1 ? 1 : 2);
    });
    const probes = new Map<string, ProbeResult>();
    const timed: Plan["iterations"][number][] = [];
    for (const counts of counted) {
      if (!settings.probe) {
        timed.push(counts);
        continue;
      }
      const key = `${counts.samplingRun} ${counts.microBatch} ${counts.sides}`;
      const measured = probes.get(key) ?? (await probe(folder, opened, counts, threads));
      probes.set(key, measured);
      timed.push({ ...counts, seconds: iterationSeconds(counts, measured, timed.length === 0 ? size : 0) });
    }
    const seconds = settings.probe ? timed.reduce((sum, one) => sum + one.seconds!, 0) : undefined;
    if (seconds !== undefined) await keepEstimate(recipe, settings.stateDir, seconds);
    return {
      recipe: recipe.name,
      model: { folder, parameters: opened.parameters, latent: opened.latent },
      dataset_size: size,
      iterations: timed,
      evaluation_evaluations: judged.reduce((a, b) => a + b, 0),
      wire_bytes: counted.reduce((sum, { wireBytes }) => sum + wireBytes, 0),
      probe: probes.values().next().value,
      training_seconds: seconds,
      threads,
    };
  } finally {
    await opened.pipeline.release();
  }
}

function savedBy({ steps, checkpointInterval }: { steps: number; checkpointInterval: number }): number {
  return checkpointInterval === 0 ? 1 : Math.ceil(steps / checkpointInterval);
}

async function openModel(
  recipe: Recipe,
  { modelDir, model }: PlanSettings,
  threads: number,
): Promise<{ folder: string; opened: OpenedModel }> {
  if (model === undefined && /^(sha256|run):/.test(recipe.base)) {
    throw new SpinError("invalid", `base: ${recipe.base} is no folder of ${modelDir}`, {
      field: "base",
      remedy: "say --model with a folder of the same architecture",
    });
  }
  const folder = model ?? join(modelDir, recipe.base);
  const pipeline = await Pipeline.load(folder, { threads });
  const unet = requireComponent(pipeline.model, "unet").config;
  const factor = vaeFactor(requireComponent(pipeline.model, "vae").config);
  const native = unet.sampleSize === undefined ? 0 : unet.sampleSize * factor;
  const resolution = recipe.resolution || native;
  if (resolution === 0) {
    throw new SpinError("invalid", `${folder} does not say for which size it was made`, { field: "resolution" });
  }
  const side = resolution / factor;
  const tokens = pipeline.promptLength;
  return {
    folder,
    opened: {
      latent: [unet.inChannels, side, side],
      condition: tokens * unet.crossAttentionDim + (unet.textTime?.projectionInputDim ?? 0),
      tokens,
      parameters: [...unetParameterShapes(unet).values()].reduce((sum, shape) => sum + sizeOf(shape), 0),
      resolution,
      pipeline,
    },
  };
}

/** The plan for people. */
export function formatPlan(plan: Plan): string {
  const { model, iterations, probe: measured } = plan;
  const lines = [
    `${plan.recipe}: ${model.folder}, ${(model.parameters / 1e6).toFixed(1)} M parameters, latents ${model.latent.join("×")}`,
    plan.dataset_size === undefined ? "data set: not on this machine" : `data set: ${plan.dataset_size} items`,
  ];
  for (const [k, counts] of iterations.entries()) {
    const { seconds } = counts;
    lines.push(
      `iteration ${k + 1}: ${counts.steps} steps, ${counts.samples} real and ${counts.synthetic} synthetic pictures,`,
      `  ${counts.generatorEvaluations} UNet evaluations to generate, ${counts.trainerEvaluations} forward and backward to train,`,
      `  micro-batches of ${counts.microBatch}, ${formatBytes(counts.wireBytes)} over the wire${seconds === undefined ? "" : `, about ${formatSeconds(seconds)}`}`,
    );
  }
  if (plan.evaluation_evaluations > 0) lines.push(`evaluation: ${plan.evaluation_evaluations} UNet evaluations`);
  if (measured !== undefined) {
    const { unetRun, microBatch } = measured;
    lines.push(
      `memory: about ${formatBytes(measured.generatorBytes)} in the generator, ${formatBytes(measured.trainerBytes)} in the trainer`,
      `measured with ${plan.threads} thread${plan.threads === 1 ? "" : "s"} each: ${(1000 * unetRun.together).toFixed(0)} ms a run of the UNet, ${(1000 * microBatch.together).toFixed(0)} ms a micro-batch; each alone ${(1000 * unetRun.alone).toFixed(0)} and ${(1000 * microBatch.alone).toFixed(0)} ms`,
      `training takes about ${formatSeconds(plan.training_seconds!)}`,
    );
  }
  return `${lines.join("\n")}\n`;
}

function formatBytes(bytes: number): string {
  if (bytes < 2 ** 20) return `${(bytes / 2 ** 10).toFixed(0)} KiB`;
  if (bytes < 2 ** 30) return `${(bytes / 2 ** 20).toFixed(0)} MiB`;
  return `${(bytes / 2 ** 30).toFixed(1)} GiB`;
}

import { buildObjective } from "../../core/diffusion/objectives/objective.js";
import { createPhiloxStream } from "../../core/diffusion/philox.js";
import { chooseLoraLayers, createLora, DEFAULT_LORA_TARGETS, type LoraAdapter } from "../../core/models/lora.js";
import { unetParameterShapes } from "../../core/models/parameter-shapes.js";
import type { UnetConfig } from "../../core/models/unet/config.js";
import { ADAMW_DEFAULTS } from "../../core/nn/adamw.js";
import type { Feeds, Training } from "../../core/nn/training.js";
import { addedWidths, type UnetConditions } from "../../core/runtime/conditions.js";
import { createUnetTraining } from "../../core/runtime/unet-training.js";
import type { BenchSettings } from "./settings.js";
import type { Subject } from "./subject.js";

/** An optimiser as the paper has it; a rate so low that no repetition leaves the region where all is finite. */
const UPDATE = { ...ADAMW_DEFAULTS, learningRate: 1e-6, maxNorm: 1 };
/** β in the space of ε, on means. */
const BETA = 1000;

/** The training graph of SPIN-Diffusion on B real and B synthetic examples, with the weights of the folder. */
export async function spinTraining(
  { unet, latent }: Subject,
  { batch, tokens, threads, device, precision, lora, memoryBudgetMb }: BenchSettings,
  profilePrefix?: string,
): Promise<Training> {
  const shapes = {
    batch,
    latent,
    tokens,
    width: unet.config.crossAttentionDim,
    added: addedWidths(unet.config.textTime),
  };
  return createUnetTraining(unet, (denoise) => buildObjective({ kind: "spin" }, denoise, shapes), {
    session: { threads, device, profilePrefix, memoryBudgetMb },
    precision,
    lora: lora === undefined ? undefined : newLora(unet.config, lora),
  });
}

function newLora(config: UnetConfig, rank: number): LoraAdapter {
  const shapes = unetParameterShapes(config);
  const layers = chooseLoraLayers(shapes, { rank, alpha: rank, targetModules: DEFAULT_LORA_TARGETS });
  return createLora(shapes, layers, (index) => createPhiloxStream(1n, { iteration: 0, index, purpose: 1 }).uniform);
}

/** The conditions of a batch, as the graph takes them. */
export function conditionFeeds({ states, textEmbeds, timeIds }: UnetConditions): Feeds {
  const added = textEmbeds && timeIds && { text_embeds: textEmbeds.data, time_ids: timeIds.data };
  return { encoder_hidden_states: states.data, ...added };
}

/** One optimiser step on one batch of draws: forward, backward, clipping, AdamW. */
export async function trainStep(training: Training, draws: Feeds): Promise<void> {
  const weight = new Float32Array((draws.real_timestep as Float32Array).length).fill(BETA);
  await training.step([{ ...draws, weight }], UPDATE);
}

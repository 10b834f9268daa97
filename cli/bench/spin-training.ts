import { buildObjective } from "../../core/diffusion/objectives/objective.js";
import { unet } from "../../core/models/unet/unet.js";
import { ADAMW_DEFAULTS } from "../../core/nn/adamw.js";
import { type Feeds, Training } from "../../core/nn/training.js";
import { addedWidths, type UnetConditions } from "../../core/runtime/conditions.js";
import type { BenchSettings } from "./settings.js";
import type { Subject } from "./subject.js";

/** An optimiser as the paper has it; a rate so low that no repetition leaves the region where all is finite. */
const UPDATE = { ...ADAMW_DEFAULTS, learningRate: 1e-6, maxNorm: 1 };
/** β in the space of ε, on means. */
const BETA = 1000;

/** The training graph of SPIN-Diffusion on B real and B synthetic examples, with the weights of the folder. */
export async function spinTraining(
  { unet: network, latent }: Subject,
  { batch, tokens, threads }: BenchSettings,
  profilePrefix?: string,
): Promise<Training> {
  const { config, weights } = network;
  const shapes = { batch, latent, tokens, width: config.crossAttentionDim, added: addedWidths(config.textTime) };
  return Training.create(
    (p) =>
      buildObjective(
        { kind: "spin" },
        (sample, timestep, encoderHiddenStates, added) =>
          unet(p, config, { sample, timestep, encoderHiddenStates, added }),
        shapes,
      ),
    (name) => weights.readFloat32(name),
    { threads, profilePrefix },
  );
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

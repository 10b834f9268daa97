import type { Network } from "../checkpoint/model-folder.js";
import { requireFinite } from "../checkpoint/weights.js";
import type { Denoise } from "../diffusion/objectives/objective.js";
import type { LoraAdapter } from "../models/lora.js";
import { unetParameterShapes } from "../models/parameter-shapes.js";
import type { UnetConfig } from "../models/unet/config.js";
import { unet } from "../models/unet/unet.js";
import { type Objective, Training, type TrainingOptions } from "../nn/training.js";
import { bindWeights } from "./inference.js";

export interface UnetTrainingOptions {
  readonly session?: Pick<TrainingOptions, "threads" | "device" | "profilePrefix" | "memoryBudgetMb">;
  /** Trained in place of the UNet's own weights, which then are constants, mapped from their file. */
  readonly lora?: LoraAdapter;
}

/**
 * The training graph of a UNet that begins with the weights of its folder.
 *
 * @param objective what is descended, of the UNet's predictions.
 * @throws SpinError "corrupt" naming file and tensor for a trained weight that is not finite
 */
export async function createUnetTraining(
  { config, weights }: Network<UnetConfig>,
  objective: (denoise: Denoise) => Objective,
  { lora, session = {} }: UnetTrainingOptions = {},
): Promise<Training> {
  const { external, ...data } = lora === undefined ? {} : await bindWeights(unetParameterShapes(config), weights);
  return Training.create(
    (p) =>
      objective((sample, timestep, encoderHiddenStates, added) =>
        unet(lora === undefined ? p : p.withLora(lora.layers), config, {
          sample,
          timestep,
          encoderHiddenStates,
          added,
        }),
      ),
    async (name) => lora?.weights.get(name) ?? requireFinite(weights, name, await weights.readFloat32(name)),
    { ...session, ...data, external },
  );
}

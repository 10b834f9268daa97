import type { Network } from "../checkpoint/model-folder.js";
import { requireFinite } from "../checkpoint/weights.js";
import type { Denoise } from "../diffusion/objectives/objective.js";
import { SpinError } from "../errors.js";
import { type Device, deviceParts } from "../graph/device.js";
import type { LoraAdapter } from "../models/lora.js";
import { unetParameterShapes } from "../models/parameter-shapes.js";
import type { UnetConfig } from "../models/unet/config.js";
import { unet } from "../models/unet/unet.js";
import { type Objective, Training, type TrainingOptions, type TrainingPrecision } from "../nn/training.js";
import { bindWeights } from "./inference.js";

export interface UnetTrainingOptions {
  readonly session?: Pick<TrainingOptions, "threads" | "device" | "profilePrefix" | "memoryBudgetMb">;
  /** What products are computed in. */
  readonly precision?: TrainingPrecision;
  /** Trained in place of the UNet's own weights, which then are constants, mapped from their file. */
  readonly lora?: LoraAdapter;
}

/**
 * The training graph of a UNet that begins with the weights of its folder.
 *
 * @param objective what is descended, of the UNet's predictions.
 * @throws SpinError "precondition" for a precision that the device has not, "corrupt" naming file and tensor for a trained weight that is not finite
 */
export async function createUnetTraining(
  { config, weights }: Network<UnetConfig>,
  objective: (denoise: Denoise) => Objective,
  { lora, precision = "float32", session = {} }: UnetTrainingOptions = {},
): Promise<Training> {
  requirePrecision(precision, session.device ?? "cpu");
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
    { ...session, ...data, external, precision },
  );
}

/** @throws SpinError "precondition" where the device's provider has no kernels for the precision: bfloat16 is CUDA's alone */
export function requirePrecision(precision: TrainingPrecision, device: Device): void {
  if (precision !== "bfloat16" || deviceParts(device).provider === "cuda") return;
  throw new SpinError("precondition", `onnxruntime computes bfloat16 on CUDA alone, not on ${device}`, {
    field: "precision",
    remedy: "take float16 or float32, or a device cuda:N",
  });
}

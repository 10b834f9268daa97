import { type ModelFolder, type Network, requireComponent } from "../../core/checkpoint/model-folder.js";
import { createPhiloxStream } from "../../core/diffusion/philox.js";
import type { SchedulerConfig } from "../../core/diffusion/scheduler-config.js";
import { SpinError } from "../../core/errors.js";
import { sizeOf } from "../../core/graph/value.js";
import { unetParameterShapes } from "../../core/models/parameter-shapes.js";
import type { UnetConfig } from "../../core/models/unet/config.js";
import { addedWidths, timeIds, type UnetConditions, wholePicture } from "../../core/runtime/conditions.js";
import type { FloatTensor } from "../../core/runtime/float-tensor.js";
import { Pipeline } from "../../core/runtime/pipeline.js";
import type { BenchSettings } from "./settings.js";

/** What a benchmark runs: a model, and inputs that are the same each time. */
export interface Subject {
  readonly model: ModelFolder;
  readonly unet: Network<UnetConfig>;
  readonly scheduler: SchedulerConfig;
  /** [C, H, W] */
  readonly latent: readonly [number, number, number];
  readonly parameters: number;
  /** θ_k, compiled when it is first run. @param profilePrefix where onnxruntime notes what each operator takes */
  load(profilePrefix?: string): Promise<Pipeline>;
  /** Standard normals, others at each call. */
  normals(shape: readonly number[]): FloatTensor;
  /** Text states [count, tokens, width], and what an SDXL model is conditioned on besides. */
  conditions(count: number): UnetConditions;
}

/** Opens a folder with `unet/` and `scheduler/` in it, whatever else it holds. */
export async function openSubject({ model, threads, device, tokens, latents }: BenchSettings): Promise<Subject> {
  const load = (profilePrefix?: string) => Pipeline.load(model, { threads, device, profilePrefix });
  const opened = (await load()).model;
  const unet = requireComponent(opened, "unet");
  const { inChannels, crossAttentionDim, textTime } = unet.config;
  const sampleSize = latents ?? unet.config.sampleSize;
  if (sampleSize === undefined) {
    const remedy = "set sample_size to the height of its latents, or say --latents";
    throw new SpinError("invalid", `${unet.folder} does not say for which size it was made`, {
      field: "sample_size",
      remedy,
    });
  }
  const added = addedWidths(textTime);
  const stream = createPhiloxStream(1n, { iteration: 0, index: 0, purpose: 0 });
  const normals = (shape: readonly number[]) => ({ shape, data: stream.normals(sizeOf(shape)) });
  return {
    model: opened,
    unet,
    scheduler: requireComponent(opened, "scheduler"),
    latent: [inChannels, sampleSize, sampleSize],
    parameters: [...unetParameterShapes(unet.config).values()].reduce((sum, shape) => sum + sizeOf(shape), 0),
    load,
    normals,
    conditions: (count) => ({
      states: normals([count, tokens, crossAttentionDim]),
      ...(added && {
        textEmbeds: normals([count, added.textEmbeds]),
        timeIds: timeIds(Array.from({ length: count }, () => wholePicture(sampleSize, sampleSize))),
      }),
    }),
  };
}

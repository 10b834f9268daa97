import { toTensor } from "../core/data/image.js";
import { cropCorner, type ImagePlacement, type PictureSize, prepareImage } from "../core/data/prepare-image.js";
import { SpinError } from "../core/errors.js";
import type { LatentScaling } from "../core/models/vae/latent-scaling.js";
import type { PictureGeometry } from "../core/runtime/conditions.js";
import { joinRows } from "../core/runtime/float-tensor.js";
import { sampleLatents } from "../core/runtime/latent-posterior.js";
import type { Pipeline } from "../core/runtime/pipeline.js";
import { CropKind, type SamplingSettings } from "../proto/gen/spin/v1/sampling.js";
import type { ConditionEncoder, EncodingModel } from "./condition-encoder.js";
import type { BatchInputs, DrawJob } from "./draws.js";
import { noiseStream, PURPOSE } from "./noise-purposes.js";
import { itemOfSample } from "./sample-order.js";
import type { TrainingSource } from "./training-source.js";

/** What of the model the preparation of a batch needs. */
export interface InputModel extends EncodingModel {
  readonly pipeline: EncodingModel["pipeline"] & Pick<Pipeline, "timeIds">;
  /** Of the VAE's latents for the UNet. */
  readonly latentScaling: LatentScaling;
}

/** Purposes of the random numbers of each side. */
const SIDES = [
  { crop: PURPOSE.crop, flip: PURPOSE.flip, latents: PURPOSE.latents },
  { crop: PURPOSE.cropOther, flip: PURPOSE.flipOther, latents: PURPOSE.latentsOther },
] as const;

/**
 * Captions and pictures of a batch, encoded: sample i's item, crop, flip, caption dropout and draw from the VAE's posterior come from
 * its index alone. The sizes that SDXL is conditioned on are those of the real picture (of the winner), for both sides.
 *
 * @param latentShape [C, h, w] at the resolution of the pictures
 * @param beforeSample called before each sample is encoded; what it throws ends the preparation
 * @throws SpinError `invalid` for flips of a data set whose captions tell left from right
 */
export async function batchInputs(
  model: InputModel,
  encoder: ConditionEncoder,
  source: TrainingSource,
  job: DrawJob,
  settings: SamplingSettings,
  resolution: number,
  latentShape: readonly number[],
  beforeSample: () => void = () => undefined,
): Promise<BatchInputs> {
  if (settings.image!.flipProbability > 0 && !source.flippable) {
    throw new SpinError("invalid", "captions of this data set tell what a mirror image would turn round", {
      field: "spec.settings.image.flip_probability",
      remedy: "set the flip probability to 0",
    });
  }
  const captions: string[] = [];
  const latents: Float32Array[][] = [[], []];
  const geometries: PictureGeometry[] = [];
  for (let i = 0; i < settings.batchSize; i++) {
    beforeSample();
    const index = job.firstIndex + i;
    const item = itemOfSample(job, index, source.size);
    const dropped = noiseStream(job, index, PURPOSE.promptDropout).uniform() < settings.promptDropout;
    captions.push(dropped ? "" : source.caption(item));
    const keys = source.keys(item);
    for (const [side, image] of source.images(item).entries()) {
      const { crop, flip, latents: purpose } = SIDES[side]!;
      const placement = {
        resolution,
        crop: cropOf(settings, job, index, crop),
        flip: noiseStream(job, index, flip).uniform() < settings.image!.flipProbability,
      };
      const key = `${keys[side]!} ${JSON.stringify(placement)}`;
      const prepare = async () => {
        const original = await image();
        const pixels = toTensor(prepareImage(original, placement));
        return { pixels: { shape: [1, 3, resolution, resolution], data: pixels }, originalSize: sizeOf(original) };
      };
      const { posterior, originalSize } = await encoder.picture(model, key, prepare);
      if (side === 0) geometries.push(geometryOf(originalSize, placement));
      const noise = noiseStream(job, index, purpose).normals(posterior.mean.data.length);
      latents[side]!.push(sampleLatents(posterior, noise, model.latentScaling).data);
    }
  }
  const [real, other] = latents.map((rows) => (rows.length > 0 ? joinRows(rows, latentShape) : undefined));
  return {
    real: real!,
    other,
    ...(await encoder.prompts(model, captions, settings.clipSkip)),
    ...model.pipeline.timeIds(geometries),
    unconditional: await encoder.negative(model, settings.sampler?.negativePrompt),
  };
}

/** Without the pixels, which are not to be kept. */
function sizeOf({ height, width }: PictureSize): PictureSize {
  return { height, width };
}

function geometryOf({ height, width }: PictureSize, placement: ImagePlacement): PictureGeometry {
  const { top, left } = cropCorner({ height, width }, placement);
  const { resolution } = placement;
  return { originalSize: [height, width], cropTopLeft: [top, left], targetSize: [resolution, resolution] };
}

function cropOf(settings: SamplingSettings, job: DrawJob, index: number, purpose: number): ImagePlacement["crop"] {
  if (settings.image!.crop !== CropKind.CROP_KIND_RANDOM) return "center";
  const stream = noiseStream(job, index, purpose);
  return { x: stream.uniform(), y: stream.uniform() };
}

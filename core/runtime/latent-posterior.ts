import { sizeOf } from "../graph/value.js";
import { channelScaling, type LatentScaling } from "../models/vae/latent-scaling.js";
import type { FloatTensor } from "./float-tensor.js";

/** A distribution over latents, [N, C, h, w] each, not yet scaled. */
export interface LatentPosterior {
  readonly mean: FloatTensor;
  readonly logvar: FloatTensor;
}

/**
 * A draw from the VAE's posterior, mean + e^(logvar/2) · noise as diffusers' DiagonalGaussianDistribution, brought to the UNet's scale.
 *
 * @param noise standard normal, [N, C, h, w]
 * @returns latents as the UNet has them
 */
export function sampleLatents(
  { mean, logvar }: LatentPosterior,
  noise: Float32Array,
  scaling: LatentScaling,
): FloatTensor {
  const [, channels, ...extents] = mean.shape as [number, number, ...number[]];
  const size = sizeOf(extents);
  const byChannel = Array.from({ length: channels }, (_, channel) => channelScaling(scaling, channel));
  const data = mean.data.map((m, i) => {
    const { shift, factor } = byChannel[Math.floor(i / size) % channels]!;
    return (m + Math.exp(logvar.data[i]! / 2) * noise[i]! - shift) * factor;
  });
  return { shape: mean.shape, data };
}

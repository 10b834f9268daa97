import * as ops from "../../graph/ops/index.js";
import type { Value } from "../../graph/value.js";

/** How a VAE's latents are brought to the UNet's scale, and back. */
export interface LatentScaling {
  readonly scalingFactor: number;
  /** Mean and deviation of each channel, where the VAE tells them. */
  readonly statistics?: { readonly mean: readonly number[]; readonly std: readonly number[] };
}

/** Per channel, z of the VAE is (z − shift) · factor for the UNet. */
export function channelScaling({ scalingFactor, statistics }: LatentScaling, channel: number) {
  if (statistics === undefined) return { shift: 0, factor: scalingFactor };
  return { shift: statistics.mean[channel]!, factor: scalingFactor / statistics.std[channel]! };
}

/** The way back, in a graph: x / factor, or x · std / factor + mean (diffusers, StableDiffusionXLPipeline). @param x [N, C, h, w] */
export function unscaleLatents(x: Value, { scalingFactor, statistics }: LatentScaling): Value {
  if (statistics === undefined) return ops.div(x, scalingFactor);
  const perChannel = (values: readonly number[]) => ops.constant(values, [values.length, 1, 1]);
  const { mean, std } = statistics;
  return ops.add(ops.mul(x, perChannel(std.map((deviation) => deviation / scalingFactor))), perChannel(mean));
}

import * as ops from "../graph/ops/index.js";
import type { Value } from "../graph/value.js";
import { conv2d, groupNorm, linear } from "../nn/layers.js";
import type { Parameters } from "../nn/parameters.js";

interface ResnetOptions {
  readonly outChannels: number;
  readonly groups: number;
  readonly epsilon: number;
}

/**
 * diffusers' ResnetBlock2D, of UNet and VAE alike: x [B, C, H, W] to [B, outChannels, H, W].
 *
 * @param timeEmbedding [B, T] after its activation; the VAE has none.
 */
export function resnetBlock(p: Parameters, x: Value, options: ResnetOptions, timeEmbedding?: Value): Value {
  const { outChannels, groups, epsilon } = options;
  let h = conv2d(p.at("conv1"), ops.silu(groupNorm(p.at("norm1"), x, groups, epsilon)), outChannels);
  if (timeEmbedding !== undefined) {
    const shift = linear(p.at("time_emb_proj"), timeEmbedding, outChannels);
    h = ops.add(h, ops.reshape(shift, [shift.shape[0]!, outChannels, 1, 1]));
  }
  h = conv2d(p.at("conv2"), ops.silu(groupNorm(p.at("norm2"), h, groups, epsilon)), outChannels);
  const residual = x.shape[1] === outChannels ? x : conv2d(p.at("conv_shortcut"), x, outChannels, { kernel: 1 });
  return ops.add(residual, h);
}

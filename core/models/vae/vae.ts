import * as ops from "../../graph/ops/index.js";
import type { Value } from "../../graph/value.js";
import { multiHeadAttention } from "../../nn/attention.js";
import { conv2d, groupNorm, linear } from "../../nn/layers.js";
import type { Parameters } from "../../nn/parameters.js";
import { resnetBlock } from "../resnet-block.js";
import type { VaeConfig } from "./config.js";

/** A diagonal normal distribution over latents, each [B, C, h, w]. */
export interface LatentDistribution {
  readonly mean: Value;
  /** Clamped to [−30, 20], as diffusers' DiagonalGaussianDistribution. */
  readonly logvar: Value;
}

const EPSILON = 1e-6;

/** AutoencoderKL's encoder: images [B, 3, H, W] in [−1, 1] to the distribution of latents (not yet scaled). */
export function vaeEncode(p: Parameters, config: VaeConfig, image: Value): LatentDistribution {
  const { blockOutChannels: channels, latentChannels } = config;
  const encoder = p.at("encoder");
  let h = conv2d(encoder.at("conv_in"), image, channels[0]!);
  for (const [level, outChannels] of channels.entries()) {
    const block = encoder.at("down_blocks", level);
    for (let i = 0; i < config.layersPerBlock; i++) h = resnet(block.at("resnets", i), config, h, outChannels);
    if (level < channels.length - 1) {
      // right and bottom only, as the original's asymmetric padding
      h = conv2d(block.at("downsamplers", 0, "conv"), h, outChannels, { stride: 2, padding: [0, 0, 1, 1] });
    }
  }
  h = middle(encoder.at("mid_block"), config, h);
  h = ops.silu(groupNorm(encoder.at("conv_norm_out"), h, config.normNumGroups, EPSILON));
  h = conv2d(encoder.at("conv_out"), h, 2 * latentChannels);
  if (config.useQuantConv) h = conv2d(p.at("quant_conv"), h, 2 * latentChannels, { kernel: 1 });
  const [mean, logvar] = ops.split(h, 1, [latentChannels, latentChannels]);
  return { mean: mean!, logvar: ops.clip(logvar!, -30, 20) };
}

/** AutoencoderKL's decoder: unscaled latents [B, C, h, w] to images [B, 3, H, W], about [−1, 1], not clamped. */
export function vaeDecode(p: Parameters, config: VaeConfig, latents: Value): Value {
  const channels = config.blockOutChannels.toReversed();
  const decoder = p.at("decoder");
  const start = config.usePostQuantConv
    ? conv2d(p.at("post_quant_conv"), latents, config.latentChannels, { kernel: 1 })
    : latents;
  let h = conv2d(decoder.at("conv_in"), start, channels[0]!);
  h = middle(decoder.at("mid_block"), config, h);
  for (const [level, outChannels] of channels.entries()) {
    const block = decoder.at("up_blocks", level);
    for (let i = 0; i <= config.layersPerBlock; i++) h = resnet(block.at("resnets", i), config, h, outChannels);
    if (level < channels.length - 1) {
      const [, , height, width] = h.shape as [number, number, number, number];
      const larger = ops.upsampleNearest(h, [2 * height, 2 * width]);
      h = conv2d(block.at("upsamplers", 0, "conv"), larger, outChannels);
    }
  }
  h = ops.silu(groupNorm(decoder.at("conv_norm_out"), h, config.normNumGroups, EPSILON));
  return conv2d(decoder.at("conv_out"), h, config.outChannels);
}

/** UNetMidBlock2D: two residual blocks with single-head attention among positions between them. */
function middle(p: Parameters, config: VaeConfig, x: Value): Value {
  const channels = x.shape[1]!;
  let h = resnet(p.at("resnets", 0), config, x, channels);
  if (config.midBlockAddAttention) h = spatialAttention(p.at("attentions", 0), config, h);
  return resnet(p.at("resnets", 1), config, h, channels);
}

function spatialAttention(p: Parameters, config: VaeConfig, x: Value): Value {
  const [batch, channels, height, width] = x.shape as [number, number, number, number];
  const normal = groupNorm(p.at("group_norm"), x, config.normNumGroups, EPSILON);
  const tokens = ops.transpose(ops.reshape(normal, [batch, channels, height * width]), [0, 2, 1]);
  const project = (name: string) => linear(p.at(name), tokens, channels);
  const mixed = multiHeadAttention(project("to_q"), project("to_k"), project("to_v"), 1);
  const out = linear(p.at("to_out", 0), mixed, channels);
  return ops.add(ops.reshape(ops.transpose(out, [0, 2, 1]), x.shape), x);
}

function resnet(p: Parameters, config: VaeConfig, x: Value, outChannels: number): Value {
  return resnetBlock(p, x, { outChannels, groups: config.normNumGroups, epsilon: EPSILON });
}

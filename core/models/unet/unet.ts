import * as ops from "../../graph/ops/index.js";
import type { Value } from "../../graph/value.js";
import { conv2d, groupNorm } from "../../nn/layers.js";
import type { Parameters } from "../../nn/parameters.js";
import { resnetBlock } from "../resnet-block.js";
import type { UnetConfig } from "./config.js";
import { timeEmbedding, timestepFeatures } from "./time-embedding.js";
import { spatialTransformer } from "./transformer-block.js";

export interface UnetInputs {
  /** Noisy latents [B, C, H, W]. */
  readonly sample: Value;
  /** [B], float. */
  readonly timestep: Value;
  /** Text states [B, M, crossAttentionDim]. */
  readonly encoderHiddenStates: Value;
}

/**
 * diffusers' UNet2DConditionModel (Rombach et al. 2022) under its own parameter names.
 *
 * @returns the prediction [B, outChannels, H, W]: noise or velocity, as the scheduler's prediction type says.
 */
export function unet(p: Parameters, config: UnetConfig, inputs: UnetInputs): Value {
  const { blockOutChannels: channels, layersPerBlock } = config;
  const temb = ops.silu(embedTime(p, config, inputs.timestep));

  let h = conv2d(p.at("conv_in"), inputs.sample, channels[0]!, { kernel: config.convInKernel });
  const skips = [h];
  for (const [level, type] of config.downBlockTypes.entries()) {
    const block = p.at("down_blocks", level);
    for (let i = 0; i < layersPerBlock[level]!; i++) {
      h = resnet(block.at("resnets", i), config, h, channels[level]!, temb);
      if (type === "CrossAttnDownBlock2D") h = attend(block.at("attentions", i), config, h, inputs, level);
      skips.push(h);
    }
    if (level < channels.length - 1) {
      const { downsamplePadding: padding } = config;
      h = conv2d(block.at("downsamplers", 0, "conv"), h, channels[level]!, { stride: 2, padding });
      skips.push(h);
    }
  }

  const last = channels.length - 1;
  const mid = p.at("mid_block");
  h = resnet(mid.at("resnets", 0), config, h, channels[last]!, temb);
  if (config.midBlockType === "UNetMidBlock2DCrossAttn") {
    h = attend(mid.at("attentions", 0), config, h, inputs, last);
    h = resnet(mid.at("resnets", 1), config, h, channels[last]!, temb);
  }

  for (const [i, type] of config.upBlockTypes.entries()) {
    const level = last - i;
    const block = p.at("up_blocks", i);
    for (let j = 0; j <= layersPerBlock[level]!; j++) {
      h = resnet(block.at("resnets", j), config, ops.concat([h, skips.pop()!], 1), channels[level]!, temb);
      if (type === "CrossAttnUpBlock2D") h = attend(block.at("attentions", j), config, h, inputs, level);
    }
    if (level > 0) {
      // to the size of the skip it meets next, which is not always twice its own
      const [, , height, width] = skips.at(-1)!.shape as [number, number, number, number];
      const larger = ops.upsampleNearest(h, [height, width]);
      h = conv2d(block.at("upsamplers", 0, "conv"), larger, channels[level]!);
    }
  }
  const normal = groupNorm(p.at("conv_norm_out"), h, config.normNumGroups, config.normEps);
  return conv2d(p.at("conv_out"), ops.silu(normal), config.outChannels, { kernel: config.convOutKernel });
}

function embedTime(p: Parameters, config: UnetConfig, timestep: Value): Value {
  const width = config.blockOutChannels[0]!;
  return timeEmbedding(p.at("time_embedding"), timestepFeatures(timestep, width, config), 4 * width);
}

function resnet(p: Parameters, config: UnetConfig, x: Value, outChannels: number, temb: Value): Value {
  return resnetBlock(p, x, { outChannels, groups: config.normNumGroups, epsilon: config.normEps }, temb);
}

function attend(p: Parameters, config: UnetConfig, x: Value, inputs: UnetInputs, level: number): Value {
  return spatialTransformer(p, x, inputs.encoderHiddenStates, {
    heads: config.numHeads[level]!,
    layers: config.transformerLayersPerBlock[level]!,
    groups: config.normNumGroups,
    useLinearProjection: config.useLinearProjection,
  });
}

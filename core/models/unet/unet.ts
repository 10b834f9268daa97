import { SpinError } from "../../errors.js";
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
  /** What SDXL is conditioned on besides; for UNets with a `textTime` configuration, and only for them. */
  readonly added?: AddedConditions;
}

/** diffusers' `added_cond_kwargs` of SDXL. */
export interface AddedConditions {
  /** Pooled and projected text, [B, P]. */
  readonly textEmbeds: Value;
  /** Original height and width, top and left of the crop, target height and width, in pixels: [B, 6]; other models have others. */
  readonly timeIds: Value;
}

/**
 * diffusers' UNet2DConditionModel (Rombach et al. 2022) under its own parameter names.
 *
 * @returns the prediction [B, outChannels, H, W]: noise or velocity, as the scheduler's prediction type says.
 */
export function unet(p: Parameters, config: UnetConfig, inputs: UnetInputs): Value {
  const { blockOutChannels: channels, layersPerBlock, transformerDepths: depths } = config;
  const temb = ops.silu(embedConditions(p, config, inputs));

  let h = conv2d(p.at("conv_in"), inputs.sample, channels[0]!, { kernel: config.convInKernel });
  const skips = [h];
  for (const [level, type] of config.downBlockTypes.entries()) {
    const block = p.at("down_blocks", level);
    for (let i = 0; i < layersPerBlock[level]!; i++) {
      h = resnet(block.at("resnets", i), config, h, channels[level]!, temb);
      if (type === "CrossAttnDownBlock2D") {
        h = attend(block.at("attentions", i), config, h, inputs, level, depths.down[level]![i]!);
      }
      skips.push(h);
    }
    if (level < channels.length - 1) {
      // Without padding diffusers pads right and bottom, as the VAE's encoder does.
      const padding: ops.Padding | number = config.downsamplePadding === 0 ? [0, 0, 1, 1] : config.downsamplePadding;
      h = conv2d(block.at("downsamplers", 0, "conv"), h, channels[level]!, { stride: 2, padding });
      skips.push(h);
    }
  }

  const last = channels.length - 1;
  const mid = p.at("mid_block");
  if (config.midBlockType !== undefined) h = resnet(mid.at("resnets", 0), config, h, channels[last]!, temb);
  if (config.midBlockType === "UNetMidBlock2DCrossAttn") {
    h = attend(mid.at("attentions", 0), config, h, inputs, last, depths.mid);
    h = resnet(mid.at("resnets", 1), config, h, channels[last]!, temb);
  }

  for (const [i, type] of config.upBlockTypes.entries()) {
    const level = last - i;
    const block = p.at("up_blocks", i);
    for (let j = 0; j <= layersPerBlock[level]!; j++) {
      h = resnet(block.at("resnets", j), config, ops.concat([h, skips.pop()!], 1), channels[level]!, temb);
      if (type === "CrossAttnUpBlock2D") {
        h = attend(block.at("attentions", j), config, h, inputs, level, depths.up[level]![j]!);
      }
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

/** The embedding that every resnet is shifted by: of the timestep, and of SDXL's further conditions. */
function embedConditions(p: Parameters, config: UnetConfig, { timestep, added }: UnetInputs): Value {
  const [base] = config.blockOutChannels as [number];
  const width = 4 * base;
  const time = timeEmbedding(p.at("time_embedding"), timestepFeatures(timestep, base, config), width);
  if ((config.textTime === undefined) !== (added === undefined)) {
    const expected = config.textTime === undefined ? "none" : "textEmbeds and timeIds";
    throw new SpinError("internal", `the UNet's further conditions: expected ${expected}, got the contrary`);
  }
  if (config.textTime === undefined || added === undefined) return time;
  const { timeEmbedDim } = config.textTime;
  const [batch, count] = added.timeIds.shape as [number, number];
  const features = timestepFeatures(ops.reshape(added.timeIds, [batch * count]), timeEmbedDim, config);
  const all = ops.concat([added.textEmbeds, ops.reshape(features, [batch, count * timeEmbedDim])], 1);
  return ops.add(time, timeEmbedding(p.at("add_embedding"), all, width));
}

function resnet(p: Parameters, config: UnetConfig, x: Value, outChannels: number, temb: Value): Value {
  return resnetBlock(p, x, { outChannels, groups: config.normNumGroups, epsilon: config.normEps }, temb);
}

function attend(p: Parameters, config: UnetConfig, x: Value, inputs: UnetInputs, level: number, layers: number): Value {
  return spatialTransformer(p, x, inputs.encoderHiddenStates, {
    heads: config.numHeads[level]!,
    layers,
    groups: config.normNumGroups,
    useLinearProjection: config.useLinearProjection,
  });
}

import * as ops from "../../graph/ops/index.js";
import type { Value } from "../../graph/value.js";
import { multiHeadAttention } from "../../nn/attention.js";
import { conv2d, groupNorm, layerNorm, linear, linearParts } from "../../nn/layers.js";
import type { Parameters } from "../../nn/parameters.js";

interface TransformerOptions {
  readonly heads: number;
  readonly layers: number;
  readonly groups: number;
  /** Projections in and out as linear layers (SD-2.1, SDXL) rather than 1×1 convolutions. */
  readonly useLinearProjection: boolean;
}

/**
 * diffusers' Transformer2DModel: self-attention among positions, cross-attention to the text, feed-forward.
 *
 * @param x [B, C, H, W]
 * @param encoderHiddenStates [B, M, crossAttentionDim]
 * @returns [B, C, H, W]
 */
export function spatialTransformer(
  p: Parameters,
  x: Value,
  encoderHiddenStates: Value,
  { heads, layers, groups, useLinearProjection }: TransformerOptions,
): Value {
  const [batch, channels, height, width] = x.shape as [number, number, number, number];
  const toTokens = (image: Value) => ops.transpose(ops.reshape(image, [batch, channels, height * width]), [0, 2, 1]);
  const toImage = (tokens: Value) => ops.reshape(ops.transpose(tokens, [0, 2, 1]), x.shape);

  const normal = groupNorm(p.at("norm"), x, groups, 1e-6);
  let tokens = useLinearProjection
    ? linear(p.at("proj_in"), toTokens(normal), channels)
    : toTokens(conv2d(p.at("proj_in"), normal, channels, { kernel: 1 }));
  for (let i = 0; i < layers; i++) {
    tokens = transformerBlock(p.at("transformer_blocks", i), tokens, encoderHiddenStates, heads);
  }
  const out = useLinearProjection
    ? toImage(linear(p.at("proj_out"), tokens, channels))
    : conv2d(p.at("proj_out"), toImage(tokens), channels, { kernel: 1 });
  return ops.add(out, x);
}

/** diffusers' BasicTransformerBlock on tokens [B, N, C]. */
function transformerBlock(p: Parameters, tokens: Value, encoderHiddenStates: Value, heads: number): Value {
  const normal = layerNorm(p.at("norm1"), tokens, 1e-5);
  let x = ops.add(attentionLayer(p.at("attn1"), normal, normal, heads), tokens);
  x = ops.add(attentionLayer(p.at("attn2"), layerNorm(p.at("norm2"), x, 1e-5), encoderHiddenStates, heads), x);
  return ops.add(feedForward(p.at("ff"), layerNorm(p.at("norm3"), x, 1e-5)), x);
}

function attentionLayer(p: Parameters, x: Value, context: Value, heads: number): Value {
  const width = x.shape.at(-1)!;
  const project = (name: string, from: Value) => linear(p.at(name), from, width, { bias: false });
  const out = multiHeadAttention(project("to_q", x), project("to_k", context), project("to_v", context), heads);
  return linear(p.at("to_out", 0), out, width);
}

/** Feed-forward with a gated unit (Shazeer 2020, GEGLU), inner width 4C. */
function feedForward(p: Parameters, x: Value): Value {
  const width = x.shape.at(-1)!;
  const [hidden, gate] = linearParts(p.at("net", 0, "proj"), x, [4 * width, 4 * width]);
  return linear(p.at("net", 2), ops.mul(hidden!, ops.gelu(gate!)), width);
}

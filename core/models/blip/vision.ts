import * as ops from "../../graph/ops/index.js";
import type { Value } from "../../graph/value.js";
import { multiHeadAttention } from "../../nn/attention.js";
import { conv2d, layerNorm, linear } from "../../nn/layers.js";
import type { Parameters } from "../../nn/parameters.js";
import type { BlipVisionConfig } from "./config.js";

/**
 * BLIP's vision transformer (Li et al. 2022; transformers' BlipVisionModel): normalised pixels [B, 3, S, S] to the states of
 * class token and patches after the last norm.
 *
 * @param p scope of `embeddings`, `encoder`, `post_layernorm` (often `vision_model`).
 * @returns [B, 1 + patches, hiddenSize]
 */
export function blipVision(p: Parameters, config: BlipVisionConfig, pixels: Value): Value {
  const batch = pixels.shape[0]!;
  const { hiddenSize, patchSize, layerNormEps } = config;
  const embeddings = p.at("embeddings");
  const patches = conv2d(embeddings.at("patch_embedding"), pixels, hiddenSize, {
    kernel: patchSize,
    stride: patchSize,
    padding: 0,
  });
  const count = patches.shape[2]! * patches.shape[3]!;
  const tokens = ops.transpose(ops.reshape(patches, [batch, hiddenSize, count]), [0, 2, 1]);
  const classToken = ops.expand(embeddings.get("class_embedding", [1, 1, hiddenSize]), [batch, 1, hiddenSize]);
  const positions = embeddings.get("position_embedding", [1, count + 1, hiddenSize]);
  let x = ops.add(ops.concat([classToken, tokens], 1), positions);
  for (let i = 0; i < config.numHiddenLayers; i++) x = layer(p.at("encoder", "layers", i), config, x);
  return layerNorm(p.at("post_layernorm"), x, layerNormEps);
}

function layer(p: Parameters, config: BlipVisionConfig, x: Value): Value {
  const { hiddenSize: width, numAttentionHeads: heads, layerNormEps } = config;
  const fused = linear(p.at("self_attn", "qkv"), layerNorm(p.at("layer_norm1"), x, layerNormEps), 3 * width);
  const part = (i: number) => ops.slice(fused, 2, i * width, (i + 1) * width);
  const mixed = multiHeadAttention(part(0), part(1), part(2), heads);
  const attended = ops.add(x, linear(p.at("self_attn", "projection"), mixed, width));
  const normal = layerNorm(p.at("layer_norm2"), attended, layerNormEps);
  const hidden = ops.gelu(linear(p.at("mlp", "fc1"), normal, config.intermediateSize));
  return ops.add(attended, linear(p.at("mlp", "fc2"), hidden, width));
}

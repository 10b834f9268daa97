import * as ops from "../../graph/ops/index.js";
import type { Value } from "../../graph/value.js";
import { conv2d, layerNorm } from "../../nn/layers.js";
import type { Parameters } from "../../nn/parameters.js";
import type { ClipVisionConfig } from "./config.js";
import { clipEncoder, clipProjection } from "./encoder.js";

/**
 * transformers' CLIPVisionModel (Dosovitskiy et al. 2021, pre-normed): normalised pixels [B, 3, S, S] to the pooled state.
 *
 * @param p scope of `embeddings`, `pre_layrnorm`, `encoder`, `post_layernorm` (often `vision_model`).
 * @returns [B, hiddenSize]: the class token's state after the last norm.
 */
export function clipVision(p: Parameters, config: ClipVisionConfig, pixels: Value): Value {
  const [batch, hiddenSize] = [pixels.shape[0]!, config.hiddenSize];
  const states = clipVisionStates(p, config, pixels);
  const pooled = ops.reshape(ops.slice(states, 1, 0, 1), [batch, hiddenSize]);
  return layerNorm(p.at("post_layernorm"), pooled, config.layerNormEps);
}

/** transformers' last_hidden_state: the states of class token and patches, without the last norm. [B, 1 + patches, hiddenSize] */
export function clipVisionStates(p: Parameters, config: ClipVisionConfig, pixels: Value): Value {
  const batch = pixels.shape[0]!;
  const { hiddenSize, patchSize, layerNormEps } = config;
  const embeddings = p.at("embeddings");
  const patches = conv2d(embeddings.at("patch_embedding"), pixels, hiddenSize, {
    kernel: patchSize,
    stride: patchSize,
    padding: 0,
    bias: false,
  });
  const count = patches.shape[2]! * patches.shape[3]!;
  const tokens = ops.transpose(ops.reshape(patches, [batch, hiddenSize, count]), [0, 2, 1]);
  const classToken = ops.expand(ops.reshape(embeddings.get("class_embedding", [hiddenSize]), [1, 1, hiddenSize]), [
    batch,
    1,
    hiddenSize,
  ]);
  const positions = embeddings.at("position_embedding").get("weight", [count + 1, hiddenSize]);
  const x = layerNorm(p.at("pre_layrnorm"), ops.add(ops.concat([classToken, tokens], 1), positions), layerNormEps);
  return clipEncoder(p.at("encoder"), config, x).at(-1)!;
}

/** transformers' image_embeds: pooled states [B, C] through `visual_projection`, without bias: [B, projectionDim]. */
export function projectImage(p: Parameters, config: ClipVisionConfig, pooled: Value): Value {
  return clipProjection(p.at("visual_projection"), config, pooled);
}

import * as ops from "../../graph/ops/index.js";
import type { Value } from "../../graph/value.js";
import { multiHeadAttention, paddedAttention } from "../../nn/attention.js";
import { embedding, layerNorm, linear } from "../../nn/layers.js";
import type { Parameters } from "../../nn/parameters.js";
import type { BlipTextConfig } from "./config.js";

/** What stands for −∞ where padding is not to be looked at, as in BLIP's med.py. */
const MASKED = -10_000;

/**
 * BLIP's text encoder (Li et al. 2022; transformers' BlipTextModel as an encoder): BERT, post-normed, without token types, in whose layers
 * a cross-attention to a picture follows the self-attention.
 *
 * @param p scope of `embeddings` and `encoder` (often `text_encoder`).
 * @param ids [B, N] int64.
 * @param mask [B, N] float32: 1 for a token, 0 for padding.
 * @param image the picture's states [B, M, encoderHiddenSize]; without it the cross-attention is left out.
 * @returns [B, N, hiddenSize]
 */
export function blipText(p: Parameters, config: BlipTextConfig, ids: Value, mask: Value, image?: Value): Value {
  const [batch, length] = ids.shape as [number, number];
  const { hiddenSize, layerNormEps } = config;
  const embeddings = p.at("embeddings");
  const words = embedding(embeddings.at("word_embeddings"), ids, config.vocabSize, hiddenSize);
  const positions = embeddings.at("position_embeddings").get("weight", [config.maxPositionEmbeddings, hiddenSize]);
  const bias = ops.reshape(ops.mul(ops.sub(1, mask), MASKED), [batch, 1, 1, length]);
  let x = layerNorm(embeddings.at("LayerNorm"), ops.add(words, ops.slice(positions, 0, 0, length)), layerNormEps);
  for (let i = 0; i < config.numHiddenLayers; i++) {
    const at = p.at("encoder", "layer", i);
    x = attend(at.at("attention"), config, x, x, bias);
    if (image !== undefined) x = attend(at.at("crossattention"), config, x, image);
    const hidden = ops.gelu(linear(at.at("intermediate", "dense"), x, config.intermediateSize));
    x = output(at.at("output"), config, hidden, x);
  }
  return x;
}

/** Attention of x [B, N, C] to states [B, M, C'], then projection, residual and norm. */
function attend(p: Parameters, config: BlipTextConfig, x: Value, states: Value, bias?: Value): Value {
  const project = (name: string, from: Value) => linear(p.at("self", name), from, config.hiddenSize);
  const [q, k, v] = [project("query", x), project("key", states), project("value", states)];
  const heads = config.numAttentionHeads;
  const mixed = bias === undefined ? multiHeadAttention(q, k, v, heads) : paddedAttention(q, k, v, heads, bias);
  return output(p.at("output"), config, mixed, x);
}

/** BERT's output block: LayerNorm(dense(hidden) + residual). */
function output(p: Parameters, config: BlipTextConfig, hidden: Value, residual: Value): Value {
  const projected = linear(p.at("dense"), hidden, config.hiddenSize);
  return layerNorm(p.at("LayerNorm"), ops.add(projected, residual), config.layerNormEps);
}

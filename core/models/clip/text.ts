import * as ops from "../../graph/ops/index.js";
import type { Value } from "../../graph/value.js";
import { embedding, layerNorm } from "../../nn/layers.js";
import type { Parameters } from "../../nn/parameters.js";
import type { ClipTextConfig } from "./config.js";
import { clipEncoder, clipProjection } from "./encoder.js";

export interface TextStates {
  /** [B, N, C], after the final norm: what SD-1.5's UNet is conditioned on. */
  readonly lastHiddenState: Value;
  /** States before the first layer and after each, [B, N, C] each, without the final norm. */
  readonly hiddenStates: readonly Value[];
}

/**
 * transformers' CLIPTextModel. No padding mask: attention is causal, as SD conditions on all positions.
 *
 * @param p scope of `embeddings`, `encoder`, `final_layer_norm` (often `text_model`).
 * @param ids [B, N] int64.
 */
export function clipText(p: Parameters, config: ClipTextConfig, ids: Value): TextStates {
  const length = ids.shape[1]!;
  const { hiddenSize } = config;
  const tokens = embedding(p.at("embeddings", "token_embedding"), ids, config.vocabSize, hiddenSize);
  const positions = p.at("embeddings", "position_embedding").get("weight", [config.maxPositionEmbeddings, hiddenSize]);
  const x = ops.add(tokens, ops.slice(positions, 0, 0, length));
  const hiddenStates = clipEncoder(p.at("encoder"), config, x, causalMask(length));
  return { lastHiddenState: finalNorm(p, config, hiddenStates.at(-1)!), hiddenStates };
}

/** The final norm, also for states of earlier layers (diffusers' clip_skip). */
export function finalNorm(p: Parameters, config: ClipTextConfig, states: Value): Value {
  return layerNorm(p.at("final_layer_norm"), states, config.layerNormEps);
}

/**
 * The state at one position of each row, as CLIP pools.
 *
 * @param states [B, N, C]
 * @param position [B] int64: where each row ends (see {@link endPositions}).
 * @returns [B, C]
 */
export function pool(states: Value, position: Value): Value {
  const [batch, length, width] = states.shape as [number, number, number];
  const chosen = ops.reshape(ops.oneHot(position, length), [batch, 1, length]);
  return ops.reshape(ops.matmul(chosen, states), [batch, width]);
}

/** transformers' text_embeds: pooled states [B, C] through `text_projection`, without bias: [B, projectionDim]. */
export function projectText(p: Parameters, config: ClipTextConfig, pooled: Value): Value {
  return clipProjection(p.at("text_projection"), config, pooled);
}

/**
 * Position of each row's end: the largest id where the configuration is the legacy one that says `eos_token_id: 2`,
 * else the first end-of-text id (transformers, modeling_clip.py).
 */
export function endPositions(ids: readonly ArrayLike<number | bigint>[], config: ClipTextConfig): BigInt64Array {
  return BigInt64Array.from(ids, (row) => {
    const values = Array.from(row, Number);
    const end = config.eosTokenId === 2 ? Math.max(...values) : config.eosTokenId;
    return BigInt(Math.max(0, values.indexOf(end)));
  });
}

/** [N, N]: 0 where position i may look at j ≤ i, a large negative number elsewhere. */
function causalMask(length: number): Value {
  const mask = new Float32Array(length * length);
  for (let i = 0; i < length; i++) mask.fill(-1e9, i * length + i + 1, (i + 1) * length);
  return ops.constant(mask, [length, length]);
}

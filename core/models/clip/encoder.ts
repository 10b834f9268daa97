import * as ops from "../../graph/ops/index.js";
import type { Value } from "../../graph/value.js";
import { multiHeadAttention } from "../../nn/attention.js";
import { layerNorm, linear } from "../../nn/layers.js";
import type { Parameters } from "../../nn/parameters.js";
import type { ClipTowerConfig } from "./config.js";

/** What CLIP's two towers have in common. */
export interface ClipEncoderConfig {
  readonly numAttentionHeads: number;
  readonly intermediateSize: number;
  readonly numHiddenLayers: number;
  readonly layerNormEps: number;
  readonly hiddenAct: "quick_gelu" | "gelu";
}

/**
 * transformers' CLIPEncoder: pre-norm transformer layers on x [B, N, C].
 *
 * @returns the states before the first layer and after each: the last is the encoder's output.
 */
export function clipEncoder(p: Parameters, config: ClipEncoderConfig, x: Value, mask?: Value): Value[] {
  const states = [x];
  for (let i = 0; i < config.numHiddenLayers; i++) {
    states.push(encoderLayer(p.at("layers", i), config, states.at(-1)!, mask));
  }
  return states;
}

function encoderLayer(p: Parameters, config: ClipEncoderConfig, x: Value, mask: Value | undefined): Value {
  const width = x.shape.at(-1)!;
  const normal = layerNorm(p.at("layer_norm1"), x, config.layerNormEps);
  const project = (name: string) => linear(p.at("self_attn", name), normal, width);
  const mixed = multiHeadAttention(
    project("q_proj"),
    project("k_proj"),
    project("v_proj"),
    config.numAttentionHeads,
    mask,
  );
  const attended = ops.add(x, linear(p.at("self_attn", "out_proj"), mixed, width));
  const activation = config.hiddenAct === "gelu" ? ops.gelu : ops.quickGelu;
  const hidden = linear(
    p.at("mlp", "fc1"),
    layerNorm(p.at("layer_norm2"), attended, config.layerNormEps),
    config.intermediateSize,
  );
  return ops.add(attended, linear(p.at("mlp", "fc2"), activation(hidden), width));
}

/** A tower's projection, without bias: pooled states [B, hiddenSize] to [B, projectionDim]. */
export function clipProjection(p: Parameters, config: ClipTowerConfig, pooled: Value): Value {
  const { hiddenSize, projectionDim, projectionIsInputMajor = false } = config;
  if (!projectionIsInputMajor) return linear(p, pooled, projectionDim, { bias: false });
  return ops.matmul(pooled, p.get("weight", [hiddenSize, projectionDim]));
}

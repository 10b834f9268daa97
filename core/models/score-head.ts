import type { SafetensorsFile } from "../checkpoint/safetensors.js";
import { input } from "../graph/ops/index.js";
import type { Value } from "../graph/value.js";
import { linear } from "../nn/layers.js";
import { Parameters } from "../nn/parameters.js";
import type { ParameterShapes } from "./parameter-shapes.js";

/** A linear layer of the head: the number that it has in the file, between those of dropouts, and its outputs. */
export interface ScoreHeadLayer {
  readonly index: number;
  readonly width: number;
}

const INDICES = [0, 2, 4, 6, 7] as const;

/**
 * The widths that a file's head has; 1024, 128, 64, 16, 1 in published ones. A layer that is missing counts as 1 wide, and is named when the
 * head is bound to its weights.
 *
 * @param scope where the head lies, as `mlp.`
 */
export function scoreHeadLayers(weights: SafetensorsFile, scope = ""): readonly ScoreHeadLayer[] {
  return INDICES.map((index) => ({
    index,
    width: index === 7 ? 1 : (weights.tensors.get(`${scope}layers.${index}.weight`)?.shape[0] ?? 1),
  }));
}

/**
 * The head of LAION's aesthetic predictor and of ImageReward: five linear layers without activations (simple_inference.py; ImageReward.py).
 *
 * @param p scope of `layers`.
 * @param x [B, C]
 * @returns [B, 1]
 */
export function scoreHead(p: Parameters, x: Value, layers: readonly ScoreHeadLayer[]): Value {
  return layers.reduce((state, { index, width }) => linear(p.at("layers", index), state, width), x);
}

/** What a head on embeddings of this width is made of. */
export function scoreHeadShapes(width: number, layers: readonly ScoreHeadLayer[]): ParameterShapes {
  const p = new Parameters();
  scoreHead(p, input("x", [1, width]), layers);
  return new Map([...p.all()].map(([name, { shape }]) => [name, shape]));
}

/** ImageReward's mean and deviation over its training pictures (ImageReward.py). */
const REWARD_MEAN = 0.16717362830052426;
const REWARD_STD = 1.0333394966054072;

/** What ImageReward makes of its head's value. */
export function rewardOf(value: number): number {
  return (value - REWARD_MEAN) / REWARD_STD;
}

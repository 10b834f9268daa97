import * as ops from "../../graph/ops/index.js";
import type { Value } from "../../graph/value.js";
import { Parameters } from "../../nn/parameters.js";
import type { ParameterShapes } from "../parameter-shapes.js";
import { type ScoreHeadLayer, scoreHead } from "../score-head.js";
import type { BlipConfig } from "./config.js";
import { blipText } from "./text.js";
import { blipVision } from "./vision.js";

type RewardConfig = Omit<BlipConfig, "projectionDim">;

interface RewardInputs {
  /** [B, 3, S, S] */
  readonly pixels: Value;
  /** [B, N] int64 */
  readonly ids: Value;
  /** [B, N], 1 for a token, 0 for padding. */
  readonly mask: Value;
}

/**
 * ImageReward's value (ImageReward.py) before its mean and deviation are taken out, see `rewardOf`.
 *
 * @param p scope of `vision_model`, `text_encoder` and `mlp`.
 * @returns [B, 1]
 */
export function imageReward(
  p: Parameters,
  config: RewardConfig,
  { pixels, ids, mask }: RewardInputs,
  layers: readonly ScoreHeadLayer[],
): Value {
  const image = blipVision(p.at("vision_model"), config.vision, pixels);
  const states = blipText(p.at("text_encoder"), config.text, ids, mask, image);
  const first = ops.reshape(ops.slice(states, 1, 0, 1), [ids.shape[0]!, config.text.hiddenSize]);
  return scoreHead(p.at("mlp"), first, layers);
}

/** What ImageReward is made of, by transformers' names. */
export function imageRewardShapes(config: RewardConfig, layers: readonly ScoreHeadLayer[]): ParameterShapes {
  const { imageSize } = config.vision;
  const p = new Parameters();
  const inputs = {
    pixels: ops.input("pixels", [1, 3, imageSize, imageSize]),
    ids: ops.input("ids", [1, 1], "int64"),
    mask: ops.input("mask", [1, 1]),
  };
  imageReward(p, config, inputs, layers);
  return new Map([...p.all()].map(([name, { shape }]) => [name, shape]));
}

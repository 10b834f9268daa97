import * as ops from "../../graph/ops/index.js";
import type { Value } from "../../graph/value.js";
import type { Parameters } from "../../nn/parameters.js";
import type { ClipConfig } from "./config.js";
import { clipText, pool, projectText } from "./text.js";
import { clipVision, projectImage } from "./vision.js";

/**
 * A CLIPModel's embedding of pictures (Radford et al. 2021), not normalised.
 *
 * @param p scope of `vision_model` and `visual_projection`: the model's root.
 * @param pixels [B, 3, S, S], normalised with CLIP's mean and deviation.
 * @returns [B, projectionDim]
 */
export function clipImageEmbeds(p: Parameters, config: ClipConfig, pixels: Value): Value {
  return projectImage(p, config.vision, clipVision(p.at("vision_model"), config.vision, pixels));
}

/**
 * A CLIPModel's embedding of prompts, not normalised.
 *
 * @param p scope of `text_model` and `text_projection`: the model's root.
 * @param ids [B, N] int64
 * @param endPosition [B] int64, see `endPositions`.
 * @returns [B, projectionDim]
 */
export function clipTextEmbeds(p: Parameters, config: ClipConfig, ids: Value, endPosition: Value): Value {
  const { lastHiddenState } = clipText(p.at("text_model"), config.text, ids);
  return projectText(p, config.text, pool(lastHiddenState, endPosition));
}

/** Rows of x [B, D] brought to unit length. */
export function unitRows(x: Value): Value {
  return ops.div(x, ops.sqrt(ops.reduceSum(ops.square(x), [-1])));
}

/**
 * CLIP's logits, exp(logit_scale)·cos: every prompt against every picture.
 *
 * @param p the model's root, which has `logit_scale`.
 * @param textEmbeds [B, D]
 * @param imageEmbeds [C, D]
 * @returns [B, C]
 */
export function clipLogits(p: Parameters, textEmbeds: Value, imageEmbeds: Value): Value {
  const cosines = ops.matmul(unitRows(textEmbeds), unitRows(imageEmbeds), { transposeB: true });
  return ops.mul(cosines, ops.exp(p.get("logit_scale", [])));
}

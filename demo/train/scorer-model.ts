import { emitModel } from "../../core/graph/onnx.js";
import * as ops from "../../core/graph/ops/index.js";
import { Session } from "../../core/graph/session.js";
import type { Value } from "../../core/graph/value.js";
import { clipImageEmbeds, clipLogits, clipTextEmbeds, unitRows } from "../../core/models/clip/clip.js";
import type { ClipConfig } from "../../core/models/clip/config.js";
import { Parameters } from "../../core/nn/parameters.js";
import type { Objective } from "../../core/nn/training.js";

/** How much each part of the loss counts. */
export interface ScorerLossWeights {
  readonly contrastive: number;
  readonly preference: number;
}

/** Below zero by so much that softmax leaves nothing. */
export const EXCLUDED = -1e9;

/**
 * Share of preferences taken to be the other way round. It bounds the margin that style alone can earn (at ln((1 −
 * s)/s) the gradient is zero), so that style does not drown what the picture shows.
 */
const LABEL_SMOOTHING = 0.05;
/** Keeps the logarithm finite where a softmax has underflowed. */
const TINY = 1e-20;

/**
 * The scorer's loss over a batch of captioned pictures: symmetric InfoNCE (Radford et al. 2021, figure 3) and, over the
 * rows (2i, 2i + 1) as winner and loser of one caption, the logistic loss of the difference of their scores (Kirstain
 * et al. 2023, equation 2).
 *
 * Inputs: `pixels` [B, 3, S, S], `ids` [B, N], `ends` [B], `same` [B, B]: `EXCLUDED` where two rows share a caption and
 * so are no negatives of each other, else 0; 0 on the diagonal.
 */
export function scorerObjective(
  p: Parameters,
  config: ClipConfig,
  batch: number,
  weights: ScorerLossWeights,
): Objective {
  const { pixels, ids, ends } = inputs(config, batch);
  const same = ops.input("same", [batch, batch]);
  const logits = clipLogits(p, clipTextEmbeds(p, config, ids, ends), clipImageEmbeds(p, config, pixels));
  const apart = ops.add(logits, same);
  const contrastive = ops.mul(0.5, ops.add(crossEntropy(apart), crossEntropy(ops.transpose(apart, [1, 0]))));
  const pairs = ops.reshape(diagonal(logits), [batch / 2, 2]);
  const margin = ops.sub(ops.slice(pairs, 1, 0, 1), ops.slice(pairs, 1, 1, 2));
  // (1 − s)·softplus(−m) + s·softplus(m) = softplus(−m) + s·m
  const preference = ops.mean(ops.add(ops.softplus(ops.neg(margin)), ops.mul(margin, LABEL_SMOOTHING)));
  const loss = ops.add(ops.mul(contrastive, weights.contrastive), ops.mul(preference, weights.preference));
  return { loss, outputs: { contrastive, preference } };
}

/** Embeddings of unit length from weights that are fed, in batches: for figures while training. */
export async function createEmbedder(config: ClipConfig, batch: number, weights: ReadonlyMap<string, Float32Array>) {
  const p = new Parameters();
  const { pixels, ids, ends } = inputs(config, batch);
  const image = await Session.create(
    emitModel({ embeds: unitRows(clipImageEmbeds(p, config, pixels)) }),
    SINGLE_THREAD,
  );
  const text = await Session.create(
    emitModel({ embeds: unitRows(clipTextEmbeds(p, config, ids, ends)) }),
    SINGLE_THREAD,
  );
  const feeds = Object.fromEntries(weights);
  return {
    images: async (data: Float32Array) => (await image.run({ ...feeds, pixels: data })).embeds!,
    texts: async (data: BigInt64Array, end: BigInt64Array) =>
      (await text.run({ ...feeds, ids: data, ends: end })).embeds!,
    release: async () => {
      await image.release();
      await text.release();
    },
  };
}

/** A small batch gains little from a second thread, and other training goes on beside this. */
export const SINGLE_THREAD = { threads: 1 } as const;

function inputs(config: ClipConfig, batch: number) {
  const { imageSize } = config.vision;
  return {
    pixels: ops.input("pixels", [batch, 3, imageSize, imageSize]),
    ids: ops.input("ids", [batch, config.text.maxPositionEmbeddings], "int64"),
    ends: ops.input("ends", [batch], "int64"),
  };
}

/** Mean of −ln softmax on the diagonal of [B, B]. */
function crossEntropy(logits: Value): Value {
  return ops.neg(ops.mean(ops.log(ops.add(diagonal(ops.softmax(logits)), TINY))));
}

/** [B, B] to [B]. */
function diagonal(square: Value): Value {
  const [size] = square.shape as [number, number];
  const identity = Float32Array.from({ length: size * size }, (_, i) => +(i % (size + 1) === 0));
  return ops.reshape(ops.reduceSum(ops.mul(square, ops.constant(identity, [size, size])), [-1]), [size]);
}

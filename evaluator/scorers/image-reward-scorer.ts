import type { SafetensorsFile } from "../../core/checkpoint/safetensors.js";
import * as ops from "../../core/graph/ops/index.js";
import type { Session, SessionOptions } from "../../core/graph/session.js";
import { sizeOf } from "../../core/graph/value.js";
import type { WordPieceTokenizer } from "../../core/models/bert/word-pieces.js";
import type { BlipConfig } from "../../core/models/blip/config.js";
import { imageReward } from "../../core/models/blip/image-reward.js";
import { rewardOf, scoreHeadLayers } from "../../core/models/score-head.js";
import { createInference } from "../../core/runtime/inference.js";
import { batchSize, inBatches } from "./batches.js";
import { fitPicture } from "./fit-picture.js";
import type { CaptionedPicture, ScoredPictures, Scorer } from "./scorer.js";

/** Ids of a prompt (ImageReward.py). */
const LENGTH = 35;

/** ImageReward (Xu et al. 2023): BLIP's text encoder looks at the picture, a head makes a number of its first state. */
export async function loadImageRewardScorer(
  config: Omit<BlipConfig, "projectionDim">,
  weights: SafetensorsFile,
  tokenizer: WordPieceTokenizer,
  options: SessionOptions,
): Promise<Scorer> {
  const parameters = [...weights.tensors.values()].reduce((sum, { shape }) => sum + sizeOf(shape), 0);
  const batch = batchSize(parameters, options.device);
  const { imageSize } = config.vision;
  const length = Math.min(LENGTH, config.text.maxPositionEmbeddings);
  const inputs = {
    pixels: ops.input("pixels", [batch, 3, imageSize, imageSize]),
    ids: ops.input("ids", [batch, length], "int64"),
    mask: ops.input("mask", [batch, length]),
  };
  const layers = scoreHeadLayers(weights, "mlp.");
  const session = await createInference((p) => ({ value: imageReward(p, config, inputs, layers) }), weights, options);
  return new ImageRewardScorer(session, tokenizer, imageSize, length, batch);
}

class ImageRewardScorer implements Scorer {
  readonly #session: Session;
  readonly #tokenizer: WordPieceTokenizer;
  readonly #imageSize: number;
  readonly #length: number;
  readonly #batch: number;

  constructor(session: Session, tokenizer: WordPieceTokenizer, imageSize: number, length: number, batch: number) {
    this.#session = session;
    this.#tokenizer = tokenizer;
    this.#imageSize = imageSize;
    this.#length = length;
    this.#batch = batch;
  }

  async score(pictures: readonly CaptionedPicture[], signal?: AbortSignal): Promise<ScoredPictures> {
    const size = 3 * this.#imageSize ** 2;
    const run = async (rows: readonly CaptionedPicture[]) => {
      const pixels = new Float32Array(rows.length * size);
      const ids = new BigInt64Array(rows.length * this.#length);
      const mask = new Float32Array(rows.length * this.#length);
      for (const [i, { image, caption }] of rows.entries()) {
        const encoded = this.#tokenizer.encode(caption, this.#length);
        ids.set(BigInt64Array.from(encoded.ids, BigInt), i * this.#length);
        mask.set(encoded.mask, i * this.#length);
        pixels.set(fitPicture(image, this.#imageSize, "torchvision"), i * size);
      }
      return (await this.#session.run({ pixels, ids, mask })).value!;
    };
    return { scores: (await inBatches(pictures, this.#batch, run, signal)).map(rewardOf) };
  }

  release(): Promise<void> {
    return this.#session.release();
  }
}

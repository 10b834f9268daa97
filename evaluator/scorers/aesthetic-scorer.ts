import type { SafetensorsFile } from "../../core/checkpoint/safetensors.js";
import * as ops from "../../core/graph/ops/index.js";
import type { Session, SessionOptions } from "../../core/graph/session.js";
import { scoreHead, scoreHeadLayers } from "../../core/models/score-head.js";
import { createInference } from "../../core/runtime/inference.js";
import { type ClipModel, dot, ImageEmbedder } from "./clip-embedders.js";
import type { CaptionedPicture, ScoredPictures, Scorer } from "./scorer.js";

/**
 * LAION's aesthetic predictor (simple_inference.py): the head's value for the picture's embedding at unit length. Prompts do not matter.
 *
 * @param head binds its layers to `model`'s embeddings: their widths must agree, which `checkScoreHead` sees to.
 */
export async function loadAestheticScorer(
  model: ClipModel,
  head: SafetensorsFile,
  options: SessionOptions,
): Promise<Scorer> {
  const images = await ImageEmbedder.load(model, "torchvision", options);
  const embeds = ops.input("embeds", [1, images.width]);
  const layers = scoreHeadLayers(head);
  const session = await createInference((p) => ({ score: scoreHead(p, embeds, layers) }), head, options);
  return new AestheticScorer(images, session);
}

class AestheticScorer implements Scorer {
  readonly #images: ImageEmbedder;
  readonly #head: Session;

  constructor(images: ImageEmbedder, head: Session) {
    this.#images = images;
    this.#head = head;
  }

  async score(pictures: readonly CaptionedPicture[], signal?: AbortSignal): Promise<ScoredPictures> {
    const { width } = this.#images;
    const embeddings = await this.#images.embed(
      pictures.map(({ image }) => image),
      signal,
    );
    const scores = new Float32Array(pictures.length);
    for (let i = 0; i < pictures.length; i++) {
      const row = embeddings.subarray(i * width, (i + 1) * width);
      const norm = Math.sqrt(dot(row, row)) || 1;
      const { score } = await this.#head.run({ embeds: row.map((value) => value / norm) });
      scores[i] = score![0]!;
    }
    return { scores, embeddings };
  }

  async release(): Promise<void> {
    await this.#images.release();
    await this.#head.release();
  }
}

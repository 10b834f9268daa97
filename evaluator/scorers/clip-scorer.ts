import { SpinError } from "../../core/errors.js";
import type { SessionOptions } from "../../core/graph/session.js";
import type { ClipTokenizer } from "../../core/models/clip/tokenizer.js";
import { type ClipModel, dot, ImageEmbedder, TextEmbedder } from "./clip-embedders.js";
import type { PictureFit } from "./fit-picture.js";
import type { CaptionedPicture, ScoredPictures, Scorer } from "./scorer.js";

/** What a score is made of: how a picture is prepared, what stands before a prompt, and what becomes of the cosine. */
export interface ClipFormula {
  readonly fit: PictureFit;
  /** As `A photo depicts `. */
  readonly prefix?: string;
  /** @param logitScale exp of the model's weight `logit_scale`. */
  readonly score: (cosine: number, logitScale: number) => number;
}

/**
 * A scorer that compares the two embeddings of a CLIPModel.
 * @param name for messages: the folder or file of the weights.
 */
export async function loadClipScorer(
  name: string,
  model: ClipModel,
  tokenizer: ClipTokenizer,
  formula: ClipFormula,
  options: SessionOptions,
): Promise<Scorer> {
  const [logitScale] = await model.weights.readFloat32("logit_scale");
  const images = await ImageEmbedder.load(model, formula.fit, options);
  const texts = await TextEmbedder.load(model, tokenizer, options);
  return new ClipScorer(name, images, texts, formula, Math.exp(logitScale!));
}

class ClipScorer implements Scorer {
  readonly #name: string;
  readonly #images: ImageEmbedder;
  readonly #texts: TextEmbedder;
  readonly #formula: ClipFormula;
  readonly #logitScale: number;

  constructor(name: string, images: ImageEmbedder, texts: TextEmbedder, formula: ClipFormula, logitScale: number) {
    this.#name = name;
    this.#images = images;
    this.#texts = texts;
    this.#formula = formula;
    this.#logitScale = logitScale;
  }

  async score(pictures: readonly CaptionedPicture[], signal?: AbortSignal): Promise<ScoredPictures> {
    const { width } = this.#images;
    const { prefix = "", score } = this.#formula;
    const embeddings = await this.#images.embed(
      pictures.map(({ image }) => image),
      signal,
    );
    const prompts = pictures.map(({ caption }) => prefix + caption);
    const texts = await this.#texts.embed(prompts, signal);
    const similarities = Float32Array.from(texts, (text, i) => {
      const picture = embeddings.subarray(i * width, (i + 1) * width);
      const cosine = dot(picture, text) / Math.sqrt(dot(picture, picture));
      if (Number.isFinite(cosine)) return cosine;
      throw new SpinError("internal", `the scorer ${this.#name} gives "${prompts[i]}" the similarity ${cosine}`, {
        remedy: "replace the scorer: its weights do not make finite numbers",
      });
    });
    return { scores: similarities.map((cosine) => score(cosine, this.#logitScale)), similarities, embeddings };
  }

  async release(): Promise<void> {
    await this.#images.release();
    await this.#texts.release();
  }
}

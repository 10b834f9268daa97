import { rm } from "node:fs/promises";
import { float16ToFloat32, float32ToFloat16 } from "../../core/float-formats.js";
import type { Shape } from "../../core/graph/value.js";
import { parseClipConfig } from "../../core/models/clip/config.js";
import { cutVocabulary, writeClipTokenizer } from "../../core/models/clip/cut-vocabulary.js";
import { loadClipTokenizer } from "../../core/models/clip/tokenizer.js";
import { Training } from "../../core/nn/training.js";
import { initialWeights } from "./initial-weights.js";
import { type LoopOptions, trainStage } from "./loop.js";
import type { Pictures } from "./pictures.js";
import { saveScorer } from "./save-scorer.js";
import { contrastiveRows, EncodedTexts, preferenceRows, scorerFeeds } from "./scorer-batches.js";
import { scorerMetrics } from "./scorer-metrics.js";
import { type ScorerLossWeights, SINGLE_THREAD, scorerObjective } from "./scorer-model.js";
import { MAX_LENGTH } from "./settings.js";

const BATCH = 64;
const IMAGE_SIZE = 64;

/** How large a scorer is. */
export interface ScorerSize {
  /** Of both towers and of the embeddings, in channels: a multiple of 32. */
  readonly width: number;
  /** Transformer layers of the vision and of the text tower. */
  readonly layers: number;
  readonly textLayers: number;
}

/** That of the built-in scorer. */
const BUILT_IN: ScorerSize = { width: 128, layers: 4, textLayers: 2 };

/** config.json of a scorer: a CLIPModel in small. */
const scorerConfig = ({ width, layers, textLayers }: ScorerSize, vocabularySize: number, eosTokenId: number) => {
  const tower = {
    attention_dropout: 0,
    hidden_act: "quick_gelu",
    hidden_size: width,
    intermediate_size: 4 * width,
    layer_norm_eps: 1e-5,
    num_attention_heads: width / 32,
    projection_dim: width,
  };
  return {
    architectures: ["CLIPModel"],
    logit_scale_init_value: Math.log(1 / 0.07),
    model_type: "clip",
    projection_dim: width,
    text_config: {
      ...tower,
      bos_token_id: eosTokenId - 1,
      eos_token_id: eosTokenId,
      max_position_embeddings: MAX_LENGTH,
      model_type: "clip_text_model",
      num_hidden_layers: textLayers,
      pad_token_id: eosTokenId,
      vocab_size: vocabularySize,
    },
    vision_config: {
      ...tower,
      image_size: IMAGE_SIZE,
      model_type: "clip_vision_model",
      num_channels: 3,
      num_hidden_layers: layers,
      patch_size: 8,
    },
    torch_dtype: "float16",
  };
};

/** Mixed parts of the data: 2i winner, 2i + 1 other, of one caption. */
export interface ScorerParts {
  readonly train: Pictures;
  readonly validation: Pictures;
  readonly test: Pictures;
}

/** Contrastive training, then preference pairs, with what a stage of either is. */
export interface ScorerStages {
  readonly contrastive: LoopOptions;
  readonly preference: LoopOptions;
}

/**
 * Trains the scorer and writes it, with its figures on the held-out parts, to `folder`, which transformers' CLIPModel
 * opens.
 */
export async function trainScorer(
  parts: ScorerParts,
  seed: bigint,
  stages: ScorerStages,
  folder: string,
  size: ScorerSize = BUILT_IN,
): Promise<void> {
  await rm(folder, { recursive: true, force: true });
  const vocabulary = cutVocabulary(parts.train.captions);
  await writeClipTokenizer(folder, vocabulary, MAX_LENGTH);
  const tokenizer = await loadClipTokenizer(folder);
  const json = scorerConfig(size, tokenizer.vocabularySize, tokenizer.eosTokenId);
  const config = parseClipConfig(json, "demo/train/scorer.ts");
  const texts = new EncodedTexts(tokenizer, config.text);
  const everyCaption = [...new Set(Object.values(parts).flatMap((part: Pictures) => [...part.captions]))];
  const measure = (weights: ReadonlyMap<string, Float32Array>, part: Pictures) =>
    scorerMetrics(weights, config, part, texts, everyCaption);

  const stage = async (
    initial: (name: string, shape: Shape) => Float32Array,
    weights: ScorerLossWeights,
    rowsOf: typeof contrastiveRows,
    options: LoopOptions,
  ) => {
    const training = await Training.create((p) => scorerObjective(p, config, BATCH, weights), initial, SINGLE_THREAD);
    const batch = (step: number) =>
      scorerFeeds(parts.train, texts, rowsOf(seed, step, BATCH, parts.train.images.length), seed, step);
    const validate = async (now: ReadonlyMap<string, Float32Array>) => ({ ...(await measure(now, parts.validation)) });
    const trained = await trainStage({ training, batch, validate }, options);
    await training.release();
    return { trained, shapes: training.shapes };
  };
  const matching = await stage(
    initialWeights(seed),
    { contrastive: 1, preference: 0 },
    contrastiveRows,
    stages.contrastive,
  );
  const { trained, shapes } = await stage(
    (name) => matching.trained.get(name)!,
    { contrastive: 0.5, preference: 1 },
    preferenceRows,
    stages.preference,
  );
  // Figures are of what is written: weights in half precision.
  const written = new Map([...trained].map(([name, values]) => [name, float16ToFloat32(float32ToFloat16(values))]));
  const metrics = {
    validation: await measure(written, parts.validation),
    test: await measure(written, parts.test),
    contrastiveOnly: { test: await measure(matching.trained, parts.test) },
  };
  await saveScorer(folder, json, IMAGE_SIZE, written, shapes, metrics);
}

import * as z from "zod";
import { MAX_DEPTH, MAX_SIZE, only, parseConfig } from "../../json-config.js";
import { fitsPicture, patchError } from "../clip/config.js";

/** BLIP's picture encoder (transformers' BlipVisionConfig). */
export interface BlipVisionConfig {
  readonly hiddenSize: number;
  readonly intermediateSize: number;
  readonly numHiddenLayers: number;
  readonly numAttentionHeads: number;
  /** Height and width of the pictures, in pixels. */
  readonly imageSize: number;
  /** Height and width of a patch, in pixels. */
  readonly patchSize: number;
  readonly layerNormEps: number;
}

/** BLIP's text encoder, a BERT with cross-attention (transformers' BlipTextConfig). */
export interface BlipTextConfig {
  readonly vocabSize: number;
  readonly hiddenSize: number;
  readonly intermediateSize: number;
  readonly numHiddenLayers: number;
  readonly numAttentionHeads: number;
  readonly maxPositionEmbeddings: number;
  readonly layerNormEps: number;
  /** Width of the picture's states. */
  readonly encoderHiddenSize: number;
}

export interface BlipConfig {
  readonly vision: BlipVisionConfig;
  readonly text: BlipTextConfig;
  /** Width of the space that both are projected into to be compared. */
  readonly projectionDim: number;
}

const size = z.int().positive().max(MAX_SIZE);
const depth = z.int().positive().max(MAX_DEPTH);
const dividedByHeads = (one: { hidden_size: number; num_attention_heads: number }) =>
  one.hidden_size % one.num_attention_heads === 0;
const headsError = { path: ["num_attention_heads"], error: "does not divide hidden_size" };

const visionSchema = z
  .looseObject({
    hidden_act: only("gelu"),
    hidden_size: size.default(768),
    intermediate_size: size.default(3072),
    num_hidden_layers: depth.default(12),
    num_attention_heads: size.default(12),
    image_size: size.default(384),
    patch_size: size.default(16),
    layer_norm_eps: z.number().positive().default(1e-5),
  })
  .refine(dividedByHeads, headsError)
  .refine(fitsPicture, patchError);

const textSchema = z
  .looseObject({
    hidden_act: only("gelu"),
    vocab_size: size.default(30524),
    hidden_size: size.default(768),
    intermediate_size: size.default(3072),
    num_hidden_layers: depth.default(12),
    num_attention_heads: size.default(8),
    max_position_embeddings: size.default(512),
    layer_norm_eps: z.number().positive().default(1e-12),
  })
  .refine(dividedByHeads, headsError);

const schema = z.looseObject({
  model_type: only("blip"),
  image_text_hidden_size: size.default(256),
  text_config: z.unknown().optional(),
  vision_config: z.unknown().optional(),
});

/**
 * Reads the `config.json` of transformers' BlipForImageTextRetrieval.
 * @throws SpinError "invalid" naming the key and value of anything malformed or not supported
 */
export function parseBlipConfig(json: unknown, file: string): BlipConfig {
  const { image_text_hidden_size, text_config, vision_config } = parseConfig(schema, json, file);
  const vision = parseConfig(visionSchema, vision_config ?? {}, `${file} (vision_config)`);
  const text = parseConfig(textSchema, text_config ?? {}, `${file} (text_config)`);
  return {
    projectionDim: image_text_hidden_size,
    vision: {
      hiddenSize: vision.hidden_size,
      intermediateSize: vision.intermediate_size,
      numHiddenLayers: vision.num_hidden_layers,
      numAttentionHeads: vision.num_attention_heads,
      imageSize: vision.image_size,
      patchSize: vision.patch_size,
      layerNormEps: vision.layer_norm_eps,
    },
    text: {
      vocabSize: text.vocab_size,
      hiddenSize: text.hidden_size,
      intermediateSize: text.intermediate_size,
      numHiddenLayers: text.num_hidden_layers,
      numAttentionHeads: text.num_attention_heads,
      maxPositionEmbeddings: text.max_position_embeddings,
      layerNormEps: text.layer_norm_eps,
      // BlipModel overrides the text configuration's own value.
      encoderHiddenSize: vision.hidden_size,
    },
  };
}

/** ImageReward v1.0 (ImageReward.py, med_config.json): ViT-L/16, BERT base with two more tokens. Its file carries no configuration. */
export const IMAGE_REWARD: Omit<BlipConfig, "projectionDim"> = {
  vision: {
    hiddenSize: 1024,
    intermediateSize: 4096,
    numHiddenLayers: 24,
    numAttentionHeads: 16,
    imageSize: 224,
    patchSize: 16,
    layerNormEps: 1e-6,
  },
  text: {
    vocabSize: 30524,
    hiddenSize: 768,
    intermediateSize: 3072,
    numHiddenLayers: 12,
    numAttentionHeads: 12,
    maxPositionEmbeddings: 512,
    layerNormEps: 1e-12,
    encoderHiddenSize: 1024,
  },
};

import * as z from "zod";
import { MAX_DEPTH, MAX_SIZE, parseConfig } from "../../json-config.js";
import { type ClipConfig, fitsPicture, patchError } from "./config.js";

const size = z.int().positive().max(MAX_SIZE);
const depth = z.int().positive().max(MAX_DEPTH);
const ratio = z.number().positive().max(64).default(4);

const modelSchema = z
  .looseObject({
    embed_dim: size,
    quick_gelu: z.boolean().default(false),
    vision_cfg: z.looseObject({
      image_size: size.default(224),
      layers: depth,
      width: size,
      head_width: size.default(64),
      mlp_ratio: ratio,
      patch_size: size,
    }),
    text_cfg: z.looseObject({
      context_length: size.default(77),
      vocab_size: size.default(49408),
      width: size.default(512),
      heads: size.default(8),
      layers: depth.default(12),
      mlp_ratio: ratio,
    }),
  })
  .refine(({ vision_cfg }) => fitsPicture(vision_cfg), { ...patchError, path: ["vision_cfg", "patch_size"] })
  .refine(({ vision_cfg: v }) => v.width % v.head_width === 0, {
    path: ["vision_cfg", "head_width"],
    error: "does not divide width",
  })
  .refine(({ text_cfg: t }) => t.width % t.heads === 0, {
    path: ["text_cfg", "heads"],
    error: "does not divide width",
  });

const schema = z.looseObject({ model_cfg: modelSchema });

/**
 * Reads open_clip's `open_clip_config.json`.
 * @throws SpinError "invalid" naming the key and value of anything malformed
 */
export function parseOpenClipConfig(json: unknown, file: string): ClipConfig {
  const { embed_dim, quick_gelu, vision_cfg, text_cfg } = parseConfig(schema, json, file).model_cfg;
  const tower = {
    projectionDim: embed_dim,
    hiddenAct: quick_gelu ? "quick_gelu" : "gelu",
    layerNormEps: 1e-5,
    projectionIsInputMajor: true,
  } as const;
  return {
    projectionDim: embed_dim,
    logitScaleInitValue: 2.6592,
    text: {
      ...tower,
      hiddenSize: text_cfg.width,
      intermediateSize: Math.trunc(text_cfg.width * text_cfg.mlp_ratio),
      numHiddenLayers: text_cfg.layers,
      numAttentionHeads: text_cfg.heads,
      vocabSize: text_cfg.vocab_size,
      maxPositionEmbeddings: text_cfg.context_length,
      // open_clip pools at the largest id, which transformers does for this value.
      eosTokenId: 2,
      hasProjection: true,
    },
    vision: {
      ...tower,
      hiddenSize: vision_cfg.width,
      intermediateSize: Math.trunc(vision_cfg.width * vision_cfg.mlp_ratio),
      numHiddenLayers: vision_cfg.layers,
      numAttentionHeads: vision_cfg.width / vision_cfg.head_width,
      numChannels: 3,
      imageSize: vision_cfg.image_size,
      patchSize: vision_cfg.patch_size,
    },
  };
}

/** The model behind HPS v2 (HPSv2: model_configs/ViT-H-14.json), whose files carry no configuration. */
export const VIT_H_14: ClipConfig = parseOpenClipConfig(
  {
    model_cfg: {
      embed_dim: 1024,
      vision_cfg: { image_size: 224, layers: 32, width: 1280, head_width: 80, patch_size: 14 },
      text_cfg: { context_length: 77, vocab_size: 49408, width: 1024, heads: 16, layers: 24 },
    },
  },
  "ViT-H-14",
);

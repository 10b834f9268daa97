import * as z from "zod";
import { MAX_DEPTH, MAX_SIZE, only, parseConfig, unsupported } from "../../json-config.js";

/** The activation of CLIP's feed-forward layers: OpenAI's x·σ(1.702x), or the exact GELU. */
export type ClipActivation = "quick_gelu" | "gelu";

export interface ClipTowerConfig {
  readonly hiddenSize: number;
  readonly intermediateSize: number;
  /** Width of the space that both towers are projected into. */
  readonly projectionDim: number;
  readonly numHiddenLayers: number;
  readonly numAttentionHeads: number;
  readonly hiddenAct: ClipActivation;
  readonly layerNormEps: number;
  /** Whether the projection's weight lies as [hiddenSize, projectionDim], as in open_clip's files; transposed where absent. */
  readonly projectionIsInputMajor?: boolean;
}

/** transformers' CLIPTextConfig, with its defaults filled in. */
export interface ClipTextConfig extends ClipTowerConfig {
  readonly vocabSize: number;
  readonly maxPositionEmbeddings: number;
  /** Where states are pooled: at the first such id, or, for the legacy value 2, at the largest id. */
  readonly eosTokenId: number;
  /** Whether the weights hold `text_projection` (CLIPTextModelWithProjection, or a tower of a CLIPModel). */
  readonly hasProjection: boolean;
}

/** transformers' CLIPVisionConfig, with its defaults filled in. */
export interface ClipVisionConfig extends ClipTowerConfig {
  readonly numChannels: number;
  /** Height and width of the pictures, in pixels. */
  readonly imageSize: number;
  /** Height and width of a patch, in pixels. */
  readonly patchSize: number;
}

/** transformers' CLIPModel: both towers. */
export interface ClipConfig {
  readonly projectionDim: number;
  /** ln of the factor of cosines at the start of training; the trained one is the weight `logit_scale`. */
  readonly logitScaleInitValue: number;
  readonly text: ClipTextConfig;
  readonly vision: ClipVisionConfig;
}

const size = z.int().positive().max(MAX_SIZE);
const depth = z.int().positive().max(MAX_DEPTH);

const tower = {
  hidden_act: only("quick_gelu", "gelu"),
  layer_norm_eps: z.number().positive().default(1e-5),
  attention_dropout: only(0),
  projection_dim: size.default(512),
};

function dividedByHeads(width: { hidden_size: number; num_attention_heads: number }): boolean {
  return width.hidden_size % width.num_attention_heads === 0;
}

const headsError = { path: ["num_attention_heads"], error: "does not divide hidden_size" };

/** A picture has at least one patch. */
export function fitsPicture({ image_size, patch_size }: { image_size: number; patch_size: number }): boolean {
  return patch_size <= image_size;
}

export const patchError = { path: ["patch_size"], error: "is larger than image_size" };

const textSchema = z
  .looseObject({
    ...tower,
    model_type: only("clip_text_model"),
    architectures: z.array(z.string()).nullish(),
    vocab_size: size.default(49408),
    hidden_size: size.default(512),
    intermediate_size: size.default(2048),
    num_hidden_layers: depth.default(12),
    num_attention_heads: size.default(8),
    max_position_embeddings: size.default(77),
    eos_token_id: z.int().nonnegative().default(49407),
    use_attention_mask: unsupported(),
  })
  .refine(dividedByHeads, headsError);

const visionSchema = z
  .looseObject({
    ...tower,
    model_type: only("clip_vision_model"),
    hidden_size: size.default(768),
    intermediate_size: size.default(3072),
    num_hidden_layers: depth.default(12),
    num_attention_heads: size.default(12),
    num_channels: size.default(3),
    image_size: size.default(224),
    patch_size: size.default(32),
  })
  .refine(dividedByHeads, headsError)
  .refine(fitsPicture, patchError);

const clipSchema = z.looseObject({
  model_type: only("clip"),
  projection_dim: size.default(512),
  logit_scale_init_value: z.number().default(2.6592),
  // Each tower's section is checked by its own schema.
  text_config: z.unknown().optional(),
  vision_config: z.unknown().optional(),
});

const wholeSchema = z.looseObject({ model_type: z.unknown().optional(), text_config: z.unknown().optional() });

function towerConfig(parsed: z.infer<typeof textSchema> | z.infer<typeof visionSchema>): ClipTowerConfig {
  return {
    hiddenSize: parsed.hidden_size,
    intermediateSize: parsed.intermediate_size,
    projectionDim: parsed.projection_dim,
    numHiddenLayers: parsed.num_hidden_layers,
    numAttentionHeads: parsed.num_attention_heads,
    hiddenAct: parsed.hidden_act,
    layerNormEps: parsed.layer_norm_eps,
  };
}

/**
 * Reads the `config.json` of a CLIPTextModel or CLIPTextModelWithProjection.
 * @param file path for error messages
 * @throws SpinError "invalid" naming the key and value of anything malformed or not supported
 */
export function parseClipTextConfig(json: unknown, file: string): ClipTextConfig {
  const whole = parseConfig(wholeSchema, json, file);
  // A text encoder's file may be that of the CLIPModel that it was cut out of, as transformers reads it too.
  const isWhole = whole.model_type === "clip" && whole.text_config !== undefined;
  const parsed = parseConfig(textSchema, isWhole ? whole.text_config : json, isWhole ? `${file} (text_config)` : file);
  return {
    ...towerConfig(parsed),
    vocabSize: parsed.vocab_size,
    maxPositionEmbeddings: parsed.max_position_embeddings,
    eosTokenId: parsed.eos_token_id,
    hasProjection: parsed.architectures?.includes("CLIPTextModelWithProjection") ?? false,
  };
}

/** Reads the `config.json` of a CLIPVisionModel. @throws SpinError "invalid" as `parseClipTextConfig` does */
export function parseClipVisionConfig(json: unknown, file: string): ClipVisionConfig {
  const parsed = parseConfig(visionSchema, json, file);
  return {
    ...towerConfig(parsed),
    numChannels: parsed.num_channels,
    imageSize: parsed.image_size,
    patchSize: parsed.patch_size,
  };
}

/** Reads the `config.json` of a CLIPModel: both towers. @throws SpinError "invalid" as `parseClipTextConfig` does */
export function parseClipConfig(json: unknown, file: string): ClipConfig {
  const parsed = parseConfig(clipSchema, json, file);
  const projectionDim = parsed.projection_dim;
  return {
    projectionDim,
    logitScaleInitValue: parsed.logit_scale_init_value,
    text: {
      ...parseClipTextConfig(parsed.text_config ?? {}, `${file} (text_config)`),
      projectionDim,
      hasProjection: true,
    },
    vision: { ...parseClipVisionConfig(parsed.vision_config ?? {}, `${file} (vision_config)`), projectionDim },
  };
}

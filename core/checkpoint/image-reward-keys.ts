import type { KeyMapping } from "./key-mapping.js";

const VISION: readonly (readonly [RegExp, string])[] = [
  [/^cls_token$/, "embeddings.class_embedding"],
  [/^pos_embed$/, "embeddings.position_embedding"],
  [/^patch_embed\.proj\./, "embeddings.patch_embedding."],
  [/^blocks\.(\d+)\.norm([12])\./, "encoder.layers.$1.layer_norm$2."],
  [/^blocks\.(\d+)\.attn\.qkv\./, "encoder.layers.$1.self_attn.qkv."],
  [/^blocks\.(\d+)\.attn\.proj\./, "encoder.layers.$1.self_attn.projection."],
  [/^blocks\.(\d+)\.mlp\./, "encoder.layers.$1.mlp."],
  [/^norm\./, "post_layernorm."],
];

/**
 * ImageReward's names (models/BLIP/vit.py, med.py) and those of transformers' BLIP. What its score has no use for, as the projections of the
 * contrastive loss, is left out, as ImageReward itself loads the file without insisting on all of it.
 */
export const mapImageRewardKey: KeyMapping = (name, tensor) => {
  const vision = strip(name, "blip.visual_encoder.");
  if (vision !== undefined) {
    const [pattern, replacement] = VISION.find(([known]) => known.test(vision)) ?? [];
    return pattern && [`vision_model.${vision.replace(pattern, replacement!)}`, tensor];
  }
  const text = strip(name, "blip.text_encoder.");
  if (text !== undefined) {
    const isUsed = /^(embeddings\.(word|position)_embeddings|embeddings\.LayerNorm|encoder\.layer)\./.test(text);
    return isUsed ? [`text_encoder.${text}`, tensor] : undefined;
  }
  return name.startsWith("mlp.") ? [name, tensor] : undefined;
};

function strip(name: string, prefix: string): string | undefined {
  return name.startsWith(prefix) ? name.slice(prefix.length) : undefined;
}

/** The same the other way: ImageReward's name of a tensor that transformers' BLIP has. */
export function imageRewardName(name: string): string {
  if (!name.startsWith("vision_model.")) return name.startsWith("text_encoder.") ? `blip.${name}` : name;
  const inner = name
    .slice("vision_model.".length)
    .replace(/^embeddings\.class_embedding$/, "cls_token")
    .replace(/^embeddings\.position_embedding$/, "pos_embed")
    .replace(/^embeddings\.patch_embedding\./, "patch_embed.proj.")
    .replace(/^encoder\.layers\./, "blocks.")
    .replace(/\.layer_norm([12])\./, ".norm$1.")
    .replace(/\.self_attn\.qkv\./, ".attn.qkv.")
    .replace(/\.self_attn\.projection\./, ".attn.proj.")
    .replace(/^post_layernorm\./, "norm.");
  return `blip.visual_encoder.${inner}`;
}

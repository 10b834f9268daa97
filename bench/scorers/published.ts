import { imageRewardName } from "../../core/checkpoint/image-reward-keys.js";
import { openClipNames } from "../../core/checkpoint/open-clip-keys.js";
import type { Dtype } from "../../core/checkpoint/safetensors-header.js";
import { IMAGE_REWARD } from "../../core/models/blip/config.js";
import { imageRewardShapes } from "../../core/models/blip/image-reward.js";
import { parseClipConfig } from "../../core/models/clip/config.js";
import { VIT_H_14 } from "../../core/models/clip/open-clip-config.js";
import { clipParameterShapes, type ParameterShapes } from "../../core/models/parameter-shapes.js";
import { scoreHeadShapes } from "../../core/models/score-head.js";

/** A file as it is published. */
export interface PublishedScorer {
  /** Path under the folder. */
  readonly file: string;
  readonly format: "safetensors" | "torch";
  /** By the file's own names. */
  readonly shapes: ParameterShapes;
  readonly dtype: Dtype;
  /** Key that torch.save's dict has the weights under. */
  readonly under?: string;
  /** Content of config.json beside it, in a folder with CLIP's tokenizer. */
  readonly config?: object;
}

const HEAD = [1024, 128, 64, 16, 1].map((width, i) => ({ index: [0, 2, 4, 6, 7][i]!, width }));

/** laion/CLIP-ViT-H-14-laion2B-s32B-b79K, which PickScore v1 was tuned from. */
const PICKSCORE_CONFIG = {
  architectures: ["CLIPModel"],
  model_type: "clip",
  projection_dim: 1024,
  logit_scale_init_value: 2.6592,
  text_config: {
    model_type: "clip_text_model",
    hidden_act: "gelu",
    hidden_size: 1024,
    intermediate_size: 4096,
    num_attention_heads: 16,
    num_hidden_layers: 24,
  },
  vision_config: {
    model_type: "clip_vision_model",
    hidden_act: "gelu",
    hidden_size: 1280,
    intermediate_size: 5120,
    num_attention_heads: 16,
    num_hidden_layers: 32,
    patch_size: 14,
  },
};

/** openai/clip-vit-large-patch14 */
const CLIP_LARGE_CONFIG = {
  architectures: ["CLIPModel"],
  model_type: "clip",
  projection_dim: 768,
  logit_scale_init_value: 2.6592,
  text_config: {
    model_type: "clip_text_model",
    hidden_act: "quick_gelu",
    hidden_size: 768,
    intermediate_size: 3072,
    num_attention_heads: 12,
    eos_token_id: 2,
  },
  vision_config: {
    model_type: "clip_vision_model",
    hidden_act: "quick_gelu",
    hidden_size: 1024,
    intermediate_size: 4096,
    num_attention_heads: 16,
    num_hidden_layers: 24,
    patch_size: 14,
  },
};

const folderOf = (folder: string, config: object): PublishedScorer => ({
  file: `${folder}/model.safetensors`,
  format: "safetensors",
  shapes: clipParameterShapes(parseClipConfig(config, folder)),
  dtype: "F32",
  config,
});

/** The four scorers of the paper's tables, and the CLIP that the aesthetic head stands on. */
export const PUBLISHED: readonly PublishedScorer[] = [
  folderOf("PickScore_v1", PICKSCORE_CONFIG),
  {
    file: "HPS_v2.1_compressed.pt",
    format: "torch",
    shapes: openClipNames(clipParameterShapes(VIT_H_14)),
    dtype: "F16",
    under: "state_dict",
  },
  {
    file: "ImageReward.pt",
    format: "torch",
    shapes: new Map([...imageRewardShapes(IMAGE_REWARD, HEAD)].map(([name, shape]) => [imageRewardName(name), shape])),
    dtype: "F32",
  },
  {
    file: "sac+logos+ava1-l14-linearMSE.pth",
    format: "torch",
    shapes: scoreHeadShapes(768, HEAD),
    dtype: "F32",
  },
  folderOf("clip-vit-large-patch14", CLIP_LARGE_CONFIG),
];

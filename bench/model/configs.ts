/** The models that are measured and that this project does not ship. */
export const MODELS = ["sd15-quarter", "sd15"] as const;
export type ModelName = (typeof MODELS)[number];

/** What the configurations of a Stable Diffusion 1.5 vary in. */
interface Extents {
  /** Of the UNet's first level; the others are 2, 4 and 4 times as wide. */
  readonly unetWidth: number;
  readonly unetHeads: number;
  readonly unetGroups: number;
  readonly textWidth: number;
  readonly textHeads: number;
  /** Of the VAE's first level; the others are 2, 4 and 4 times as wide. */
  readonly vaeWidth: number;
  readonly vaeGroups: number;
  /** Height and width of the latents, an eighth of the picture's. */
  readonly latents: number;
}

/**
 * A quarter of SD-1.5 has widths, attention heads and norm groups divided by four. A head is still 40 to 160 wide and a group still
 * 10 channels, so each operator has the share of the work that it has in the whole. Its pictures are 256×256.
 */
const EXTENTS: Record<ModelName, Extents> = {
  sd15: {
    unetWidth: 320,
    unetHeads: 8,
    unetGroups: 32,
    textWidth: 768,
    textHeads: 12,
    vaeWidth: 128,
    vaeGroups: 32,
    latents: 64,
  },
  "sd15-quarter": {
    unetWidth: 80,
    unetHeads: 2,
    unetGroups: 8,
    textWidth: 192,
    textHeads: 3,
    vaeWidth: 32,
    vaeGroups: 8,
    latents: 32,
  },
};

/** The files' contents, keys as published. */
export interface ModelConfigs {
  readonly unet: Readonly<Record<string, unknown>>;
  readonly vae: Readonly<Record<string, unknown>>;
  /** But for what the tokenizer says: `vocab_size` and special ids. */
  readonly textEncoder: Readonly<Record<string, unknown>>;
  readonly scheduler: Readonly<Record<string, unknown>>;
}

/**
 * The configurations of stable-diffusion-v1-5, or of a quarter of it.
 * @param latents height and width of the latents where they are not the model's usual ones
 */
export function modelConfigs(name: ModelName, latents = EXTENTS[name].latents): ModelConfigs {
  const extents = EXTENTS[name];
  return { unet: unet(extents, latents), vae: vae(extents, latents), textEncoder: text(extents), scheduler: SCHEDULER };
}

const levels = (width: number) => [width, 2 * width, 4 * width, 4 * width];

function unet({ unetWidth, unetHeads, unetGroups, textWidth }: Extents, latents: number) {
  return {
    _class_name: "UNet2DConditionModel",
    act_fn: "silu",
    attention_head_dim: unetHeads,
    block_out_channels: levels(unetWidth),
    center_input_sample: false,
    cross_attention_dim: textWidth,
    down_block_types: ["CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"],
    downsample_padding: 1,
    flip_sin_to_cos: true,
    freq_shift: 0,
    in_channels: 4,
    layers_per_block: 2,
    mid_block_scale_factor: 1,
    norm_eps: 1e-5,
    norm_num_groups: unetGroups,
    out_channels: 4,
    sample_size: latents,
    up_block_types: ["UpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D"],
  };
}

function vae({ vaeWidth, vaeGroups }: Extents, latents: number) {
  return {
    _class_name: "AutoencoderKL",
    act_fn: "silu",
    block_out_channels: levels(vaeWidth),
    down_block_types: Array(4).fill("DownEncoderBlock2D"),
    in_channels: 3,
    latent_channels: 4,
    layers_per_block: 2,
    norm_num_groups: vaeGroups,
    out_channels: 3,
    sample_size: 8 * latents,
    scaling_factor: 0.18215,
    up_block_types: Array(4).fill("UpDecoderBlock2D"),
  };
}

function text({ textWidth, textHeads }: Extents) {
  return {
    architectures: ["CLIPTextModel"],
    attention_dropout: 0,
    hidden_act: "quick_gelu",
    hidden_size: textWidth,
    intermediate_size: 4 * textWidth,
    layer_norm_eps: 1e-5,
    max_position_embeddings: 77,
    model_type: "clip_text_model",
    num_attention_heads: textHeads,
    num_hidden_layers: 12,
    projection_dim: textWidth,
  };
}

const SCHEDULER = {
  _class_name: "PNDMScheduler",
  beta_end: 0.012,
  beta_schedule: "scaled_linear",
  beta_start: 0.00085,
  clip_sample: false,
  num_train_timesteps: 1000,
  set_alpha_to_one: false,
  skip_prk_steps: true,
  steps_offset: 1,
  trained_betas: null,
};

import type { ModelConfigs } from "../model/configs.js";

/** The smallest model: SD-1.5's topology in two levels, pictures of 16×16, latents of 8×8. */
export const TINY: ModelConfigs = {
  unet: {
    _class_name: "UNet2DConditionModel",
    attention_head_dim: 2,
    block_out_channels: [8, 16],
    cross_attention_dim: 16,
    down_block_types: ["CrossAttnDownBlock2D", "DownBlock2D"],
    layers_per_block: 1,
    norm_num_groups: 4,
    sample_size: 8,
    up_block_types: ["UpBlock2D", "CrossAttnUpBlock2D"],
  },
  vae: {
    _class_name: "AutoencoderKL",
    block_out_channels: [8, 16],
    down_block_types: ["DownEncoderBlock2D", "DownEncoderBlock2D"],
    norm_num_groups: 4,
    sample_size: 16,
    scaling_factor: 0.5,
    up_block_types: ["UpDecoderBlock2D", "UpDecoderBlock2D"],
  },
  textEncoder: {
    architectures: ["CLIPTextModel"],
    hidden_size: 16,
    intermediate_size: 32,
    max_position_embeddings: 77,
    model_type: "clip_text_model",
    num_attention_heads: 2,
    num_hidden_layers: 1,
  },
  scheduler: {
    _class_name: "DDIMScheduler",
    beta_end: 0.012,
    beta_schedule: "scaled_linear",
    beta_start: 0.00085,
    clip_sample: false,
    num_train_timesteps: 1000,
    prediction_type: "epsilon",
    set_alpha_to_one: false,
    steps_offset: 1,
  },
};

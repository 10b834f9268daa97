/** Sizes of the built-in models: a Stable Diffusion in small, 64×64 pixels, latents 16×16×4. */

/** config.json of the VAE; the scaling factor is measured after training. */
export const VAE_CONFIG = {
  _class_name: "AutoencoderKL",
  act_fn: "silu",
  block_out_channels: [16, 32, 64],
  down_block_types: ["DownEncoderBlock2D", "DownEncoderBlock2D", "DownEncoderBlock2D"],
  up_block_types: ["UpDecoderBlock2D", "UpDecoderBlock2D", "UpDecoderBlock2D"],
  in_channels: 3,
  out_channels: 3,
  latent_channels: 4,
  layers_per_block: 1,
  norm_num_groups: 8,
  sample_size: 64,
};

/** config.json of the UNet. Attention from 8×8 down: at 16×16 it costs more than it gives at this size. */
export const UNET_CONFIG = {
  _class_name: "UNet2DConditionModel",
  act_fn: "silu",
  attention_head_dim: 4,
  block_out_channels: [64, 96, 128],
  center_input_sample: false,
  cross_attention_dim: 96,
  down_block_types: ["DownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"],
  downsample_padding: 1,
  flip_sin_to_cos: true,
  freq_shift: 0,
  in_channels: 4,
  layers_per_block: 1,
  mid_block_scale_factor: 1,
  mid_block_type: "UNetMidBlock2DCrossAttn",
  norm_eps: 1e-5,
  norm_num_groups: 16,
  out_channels: 4,
  sample_size: 16,
  up_block_types: ["UpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"],
};

/** config.json of the text encoder, but for its vocabulary, which is cut from the captions. */
export const TEXT_CONFIG = {
  architectures: ["CLIPTextModel"],
  attention_dropout: 0,
  hidden_act: "quick_gelu",
  hidden_size: 96,
  intermediate_size: 256,
  layer_norm_eps: 1e-5,
  max_position_embeddings: 16,
  model_type: "clip_text_model",
  num_attention_heads: 4,
  num_hidden_layers: 2,
  projection_dim: 96,
};

/** The noise schedule of Stable Diffusion 1.5. */
export const SCHEDULER_CONFIG = {
  _class_name: "DDIMScheduler",
  beta_end: 0.012,
  beta_schedule: "scaled_linear",
  beta_start: 0.00085,
  clip_sample: false,
  num_train_timesteps: 1000,
  prediction_type: "epsilon",
  set_alpha_to_one: false,
  steps_offset: 1,
  timestep_spacing: "leading",
};

/** Longest caption in tokens, begin and end included. */
export const MAX_LENGTH = 16;

import * as z from "zod";
import { MAX_DEPTH, MAX_SIZE, only, parseConfig, unsupported } from "../../json-config.js";
import type { LatentScaling } from "./latent-scaling.js";

/** diffusers' AutoencoderKL, with its defaults filled in; widths run from the image's side to the latents'. */
export interface VaeConfig extends LatentScaling {
  readonly inChannels: number;
  readonly outChannels: number;
  readonly latentChannels: number;
  readonly blockOutChannels: readonly number[];
  /** Residual blocks per level of the encoder; the decoder has one more. */
  readonly layersPerBlock: number;
  readonly normNumGroups: number;
  /** Height and width in pixels that it was made for. */
  readonly sampleSize: number;
  readonly useQuantConv: boolean;
  readonly usePostQuantConv: boolean;
  readonly midBlockAddAttention: boolean;
}

const size = z.int().positive().max(MAX_SIZE);
const depth = z.int().positive().max(MAX_DEPTH);

const perChannel = z.array(z.number()).nullish();

/**
 * Omitted settings have the defaults of diffusers' class, but for `block_out_channels`, on which all else hangs. `force_upcast` asks for no
 * more than is done anyway: VAEs are computed in float32.
 */
const schema = z
  .looseObject({
    _class_name: only("AutoencoderKL"),
    in_channels: size.default(3),
    out_channels: size.default(3),
    latent_channels: size.default(4),
    down_block_types: z.array(only("DownEncoderBlock2D")).default(["DownEncoderBlock2D"]),
    up_block_types: z.array(only("UpDecoderBlock2D")).default(["UpDecoderBlock2D"]),
    block_out_channels: z.array(size).min(1).max(16),
    layers_per_block: depth.default(1),
    norm_num_groups: size.default(32),
    sample_size: z.union([size, z.array(size).length(2)]).default(32),
    scaling_factor: z.number().positive().default(0.18215),
    use_quant_conv: z.boolean().default(true),
    use_post_quant_conv: z.boolean().default(true),
    mid_block_add_attention: z.boolean().default(true),
    act_fn: only("silu", "swish"),
    latents_mean: perChannel,
    latents_std: perChannel,
    shift_factor: unsupported(),
  })
  .superRefine((file, context) => {
    const levels = file.block_out_channels.length;
    for (const key of ["down_block_types", "up_block_types"] as const) {
      if (file[key].length === levels) continue;
      const message = `has ${file[key].length} entries, block_out_channels has ${levels}`;
      context.addIssue({ code: "custom", path: [key], message });
    }
    for (const key of ["latents_mean", "latents_std"] as const) {
      const values = file[key];
      if (!values || values.length === file.latent_channels) continue;
      const message = `has ${values.length} entries, latent_channels is ${file.latent_channels}`;
      context.addIssue({ code: "custom", path: [key], message });
    }
    for (const width of file.block_out_channels) {
      if (width % file.norm_num_groups === 0) continue;
      const message = `${file.norm_num_groups} does not divide the width ${width}`;
      context.addIssue({ code: "custom", path: ["norm_num_groups"], message });
    }
  });

/**
 * Reads the `config.json` of an AutoencoderKL.
 * @param file path for error messages
 * @throws SpinError "invalid" naming the key and value of anything malformed or not supported
 */
export function parseVaeConfig(json: unknown, file: string): VaeConfig {
  const parsed = parseConfig(schema, json, file);
  const { latents_mean: mean, latents_std: std } = parsed;
  return {
    inChannels: parsed.in_channels,
    outChannels: parsed.out_channels,
    latentChannels: parsed.latent_channels,
    blockOutChannels: parsed.block_out_channels,
    layersPerBlock: parsed.layers_per_block,
    normNumGroups: parsed.norm_num_groups,
    sampleSize: Array.isArray(parsed.sample_size) ? parsed.sample_size[0]! : parsed.sample_size,
    scalingFactor: parsed.scaling_factor,
    // As in diffusers, one without the other counts for nothing.
    statistics: mean && std ? { mean, std } : undefined,
    useQuantConv: parsed.use_quant_conv,
    usePostQuantConv: parsed.use_post_quant_conv,
    midBlockAddAttention: parsed.mid_block_add_attention,
  };
}

/** @returns pixels per latent along a side: 8 for SD-1.5. */
export function vaeFactor(config: VaeConfig): number {
  return 2 ** (config.blockOutChannels.length - 1);
}

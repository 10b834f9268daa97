import * as z from "zod";
import { MAX_DEPTH, MAX_SIZE, only, parseConfig, unsupported } from "../../json-config.js";
import { type TransformerDepths, transformerDepths } from "./transformer-depths.js";

/** What a level of the UNet's way down, and its mirror on the way up, is made of. */
export type DownBlockType = "CrossAttnDownBlock2D" | "DownBlock2D";
export type UpBlockType = "CrossAttnUpBlock2D" | "UpBlock2D";
/** What lies between: two resnets with attention between them, or one resnet. */
export type MidBlockType = (typeof MID_BLOCK_TYPES)[number];
const MID_BLOCK_TYPES = ["UNetMidBlock2DCrossAttn", "UNetMidBlock2D"] as const;

/** SDXL's condition on pooled text and picture sizes (`addition_embed_type: "text_time"`). */
export interface TextTimeConfig {
  /** Width of the sinusoidal features of each of the six sizes. */
  readonly timeEmbedDim: number;
  /** Width of all features together with the pooled text. */
  readonly projectionInputDim: number;
}

/** diffusers' UNet2DConditionModel, with its defaults filled in; lists run from the first level down to the last. */
export interface UnetConfig {
  readonly inChannels: number;
  readonly outChannels: number;
  /** Height and width of the latents that it was made for, where said. */
  readonly sampleSize: number | undefined;
  readonly downBlockTypes: readonly DownBlockType[];
  readonly midBlockType: MidBlockType | undefined;
  /** From the last level up to the first. */
  readonly upBlockTypes: readonly UpBlockType[];
  readonly blockOutChannels: readonly number[];
  readonly layersPerBlock: readonly number[];
  readonly transformerDepths: TransformerDepths;
  /** Attention heads; the file calls them `attention_head_dim`. */
  readonly numHeads: readonly number[];
  /** Width of the text states. */
  readonly crossAttentionDim: number;
  readonly useLinearProjection: boolean;
  /** Whether attention scores must not be computed in float16. */
  readonly upcastAttention: boolean;
  readonly normNumGroups: number;
  readonly normEps: number;
  readonly flipSinToCos: boolean;
  readonly freqShift: number;
  readonly downsamplePadding: number;
  readonly convInKernel: number;
  readonly convOutKernel: number;
  readonly textTime: TextTimeConfig | undefined;
}

const size = z.int().positive().max(MAX_SIZE);
const depth = z.int().positive().max(MAX_DEPTH);
const sizePerLevel = z.union([size, z.array(size).min(1)]);
const depthPerLevel = z.union([depth, z.array(depth).min(1)]);
/** As SSD-1B has it: a list in place of a level's number tells the depth after each of its resnets. */
const depthPerResnet = z.array(z.union([depth, z.array(depth).min(1)])).min(1);

/** Settings that may be lists, one entry per level. */
const PER_LEVEL = [
  "down_block_types",
  "up_block_types",
  "layers_per_block",
  "transformer_layers_per_block",
  "reverse_transformer_layers_per_block",
  "attention_head_dim",
] as const;

/** Omitted settings have the defaults of diffusers' class, but for `block_out_channels`, on which all else hangs. */
const schema = z
  .looseObject({
    _class_name: only("UNet2DConditionModel"),
    in_channels: size.default(4),
    out_channels: size.default(4),
    sample_size: z.union([size, z.array(size).length(2)]).nullish(),
    down_block_types: z
      .array(only("CrossAttnDownBlock2D", "DownBlock2D"))
      .default(["CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"]),
    mid_block_type: z
      .enum(MID_BLOCK_TYPES, {
        error: ({ input }) => `is ${JSON.stringify(input)}, supported: ${MID_BLOCK_TYPES.join(", ")}, null`,
      })
      .nullable()
      .default("UNetMidBlock2DCrossAttn"),
    up_block_types: z
      .array(only("CrossAttnUpBlock2D", "UpBlock2D"))
      .default(["UpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D"]),
    block_out_channels: z.array(size).min(1).max(16),
    layers_per_block: depthPerLevel.default(2),
    transformer_layers_per_block: z.union([depth, depthPerResnet]).default(1),
    reverse_transformer_layers_per_block: depthPerResnet.nullish(),
    attention_head_dim: sizePerLevel.default(8),
    cross_attention_dim: size.default(1280),
    use_linear_projection: z.boolean().default(false),
    upcast_attention: z.boolean().nullish(),
    norm_num_groups: size.default(32),
    norm_eps: z.number().positive().default(1e-5),
    flip_sin_to_cos: z.boolean().default(true),
    freq_shift: z.number().default(0),
    downsample_padding: z.int().nonnegative().default(1),
    conv_in_kernel: size.default(3),
    conv_out_kernel: size.default(3),
    addition_embed_type: z.literal("text_time").nullish(),
    addition_time_embed_dim: size.nullish(),
    projection_class_embeddings_input_dim: size.nullish(),
    act_fn: only("silu", "swish"),
    dropout: only(0),
    mid_block_scale_factor: only(1),
    resnet_time_scale_shift: only("default"),
    resnet_out_scale_factor: only(1),
    time_embedding_type: only("positional"),
    attention_type: only("default"),
    center_input_sample: unsupported(),
    class_embed_type: unsupported(),
    class_embeddings_concat: unsupported(),
    cross_attention_norm: unsupported(),
    dual_cross_attention: unsupported(),
    encoder_hid_dim: unsupported(),
    encoder_hid_dim_type: unsupported(),
    mid_block_only_cross_attention: unsupported(),
    num_attention_heads: unsupported(),
    num_class_embeds: unsupported(),
    only_cross_attention: unsupported(),
    resnet_skip_time_act: unsupported(),
    time_cond_proj_dim: unsupported(),
    time_embedding_act_fn: unsupported(),
    time_embedding_dim: unsupported(),
    timestep_post_act: unsupported(),
  })
  .superRefine((file, context) => {
    const levels = file.block_out_channels.length;
    for (const key of PER_LEVEL) {
      const list = file[key];
      if (!Array.isArray(list) || list.length === levels) continue;
      context.addIssue({
        code: "custom",
        path: [key],
        message: `has ${list.length} entries, block_out_channels has ${levels}`,
      });
    }
    for (const [level, width] of file.block_out_channels.entries()) {
      if (width % file.norm_num_groups !== 0) {
        const message = `${file.norm_num_groups} does not divide the width ${width} of level ${level}`;
        context.addIssue({ code: "custom", path: ["norm_num_groups"], message });
      }
      const heads = perLevel(file.attention_head_dim, levels)[level] ?? 1;
      if (hasAttention(file, level) && width % heads !== 0) {
        const message = `${heads} heads do not divide the width ${width} of level ${level}`;
        context.addIssue({ code: "custom", path: ["attention_head_dim"], message });
      }
    }
    for (const { path, message } of depthProblems(file)) context.addIssue({ code: "custom", path, message });
    if (file.addition_embed_type) {
      const { addition_time_embed_dim: time, projection_class_embeddings_input_dim: all } = file;
      const missing = "is missing, addition_embed_type text_time needs it";
      if (!time) context.addIssue({ code: "custom", path: ["addition_time_embed_dim"], message: missing });
      const problem = all ? `is ${all}, expected more than addition_time_embed_dim (${time})` : missing;
      if (!all || all <= (time ?? 0)) {
        context.addIssue({ code: "custom", path: ["projection_class_embeddings_input_dim"], message: problem });
      }
    }
  });

type UnetFile = z.infer<typeof schema>;

type UnetDepths = Pick<
  UnetFile,
  "block_out_channels" | "layers_per_block" | "transformer_layers_per_block" | "reverse_transformer_layers_per_block"
>;

/** Lists of depths must reach to a level's last resnet, and a way down of lists needs a way up of its own. */
function depthProblems(file: UnetDepths): { path: string[]; message: string }[] {
  const { transformer_layers_per_block: down, reverse_transformer_layers_per_block: up } = file;
  const levels = file.block_out_channels.length;
  const resnets = perLevel(file.layers_per_block, levels);
  const tooShort = (key: string, list: UnetDepths["transformer_layers_per_block"], needed: readonly number[]) =>
    (typeof list === "number" ? [] : list).flatMap((depths, i) =>
      typeof depths === "number" || depths.length >= (needed[i] ?? 0)
        ? []
        : [
            {
              path: [key, String(i)],
              message: `has ${depths.length} entries, the level has ${needed[i]} transformers`,
            },
          ],
    );
  const isListed = typeof down !== "number" && down.some((depths) => typeof depths !== "number");
  const missing = {
    path: ["reverse_transformer_layers_per_block"],
    message: "is missing, the depths differ by resnet",
  };
  return [
    ...tooShort("transformer_layers_per_block", down, resnets),
    ...tooShort("reverse_transformer_layers_per_block", up ?? [], resnets.map((count) => count + 1).reverse()),
    ...(isListed && !up ? [missing] : []),
  ];
}

function hasAttention(
  file: Pick<UnetFile, "block_out_channels" | "down_block_types" | "up_block_types" | "mid_block_type">,
  level: number,
) {
  const last = file.block_out_channels.length - 1;
  const inMiddle = level === last && file.mid_block_type === "UNetMidBlock2DCrossAttn";
  return (
    inMiddle || file.down_block_types[level] !== "DownBlock2D" || file.up_block_types[last - level] !== "UpBlock2D"
  );
}

function perLevel(value: number | readonly number[], levels: number): readonly number[] {
  return typeof value === "number" ? Array.from({ length: levels }, () => value) : value;
}

/**
 * Reads the `config.json` of a UNet2DConditionModel.
 * @param file path for error messages
 * @throws SpinError "invalid" naming the key and value of anything malformed or not supported
 */
export function parseUnetConfig(json: unknown, file: string): UnetConfig {
  const parsed: UnetFile = parseConfig(schema, json, file);
  const levels = parsed.block_out_channels.length;
  const sampleSize = parsed.sample_size ?? undefined;
  const layersPerBlock = perLevel(parsed.layers_per_block, levels);
  return {
    inChannels: parsed.in_channels,
    outChannels: parsed.out_channels,
    sampleSize: Array.isArray(sampleSize) ? sampleSize[0] : sampleSize,
    downBlockTypes: parsed.down_block_types,
    midBlockType: parsed.mid_block_type ?? undefined,
    upBlockTypes: parsed.up_block_types,
    blockOutChannels: parsed.block_out_channels,
    layersPerBlock,
    transformerDepths: transformerDepths(
      parsed.transformer_layers_per_block,
      parsed.reverse_transformer_layers_per_block ?? undefined,
      layersPerBlock,
    ),
    numHeads: perLevel(parsed.attention_head_dim, levels),
    crossAttentionDim: parsed.cross_attention_dim,
    useLinearProjection: parsed.use_linear_projection,
    upcastAttention: parsed.upcast_attention ?? false,
    normNumGroups: parsed.norm_num_groups,
    normEps: parsed.norm_eps,
    flipSinToCos: parsed.flip_sin_to_cos,
    freqShift: parsed.freq_shift,
    downsamplePadding: parsed.downsample_padding,
    convInKernel: parsed.conv_in_kernel,
    convOutKernel: parsed.conv_out_kernel,
    textTime: parsed.addition_embed_type
      ? {
          timeEmbedDim: parsed.addition_time_embed_dim!,
          projectionInputDim: parsed.projection_class_embeddings_input_dim!,
        }
      : undefined,
  };
}

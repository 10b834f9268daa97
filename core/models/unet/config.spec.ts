import { parseUnetConfig } from "./config.js";

/** SD-1.5's file of diffusers 0.6.0, which omits most settings. */
const sd15 = {
  _class_name: "UNet2DConditionModel",
  _diffusers_version: "0.6.0",
  act_fn: "silu",
  attention_head_dim: 8,
  block_out_channels: [320, 640, 1280, 1280],
  center_input_sample: false,
  cross_attention_dim: 768,
  down_block_types: ["CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"],
  downsample_padding: 1,
  flip_sin_to_cos: true,
  freq_shift: 0,
  in_channels: 4,
  layers_per_block: 2,
  mid_block_scale_factor: 1,
  norm_eps: 1e-5,
  norm_num_groups: 32,
  out_channels: 4,
  sample_size: 64,
  up_block_types: ["UpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D"],
};

const parse = (changes: Record<string, unknown>) => parseUnetConfig({ ...sd15, ...changes }, "unet/config.json");

test("omitted settings have diffusers' defaults, and single numbers become one per level", () => {
  expect(parse({})).toMatchObject({
    midBlockType: "UNetMidBlock2DCrossAttn",
    useLinearProjection: false,
    upcastAttention: false,
    numHeads: [8, 8, 8, 8],
    layersPerBlock: [2, 2, 2, 2],
    transformerDepths: { down: Array(4).fill([1, 1]), mid: 1, up: Array(4).fill([1, 1, 1]) },
    crossAttentionDim: 768,
    textTime: undefined,
  });
  const { block_out_channels, _class_name } = sd15;
  expect(parseUnetConfig({ block_out_channels, _class_name }, "")).toMatchObject({
    crossAttentionDim: 1280,
    normNumGroups: 32,
  });
});

test("SD-2.1's and SDXL's settings are read", () => {
  const sd21 = parse({ attention_head_dim: [5, 10, 20, 20], use_linear_projection: true, upcast_attention: null });
  expect(sd21).toMatchObject({ numHeads: [5, 10, 20, 20], useLinearProjection: true, upcastAttention: false });
  const sdxl = parse({
    block_out_channels: [320, 640, 1280],
    attention_head_dim: [5, 10, 20],
    transformer_layers_per_block: [1, 2, 10],
    down_block_types: ["DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"],
    up_block_types: ["CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"],
    addition_embed_type: "text_time",
    addition_time_embed_dim: 256,
    projection_class_embeddings_input_dim: 2816,
  });
  expect(sdxl.textTime).toEqual({ timeEmbedDim: 256, projectionInputDim: 2816 });
  const up = [1, 2, 10].map((depth) => [depth, depth, depth]);
  expect(sdxl.transformerDepths).toEqual({ down: up.map((depths) => depths.slice(1)), mid: 10, up });
});

test("depths may differ by resnet, and the way up from the way down", () => {
  const { transformerDepths, midBlockType } = parse({
    transformer_layers_per_block: [1, [2, 3], 4, [5, 6]],
    reverse_transformer_layers_per_block: [[6, 5, 4], 3, [2, 1, 7], 1],
    mid_block_type: null,
  });
  expect(transformerDepths).toEqual({
    down: [
      [1, 1],
      [2, 3],
      [4, 4],
      [5, 6],
    ],
    mid: 5,
    up: [
      [1, 1, 1],
      [2, 1, 7],
      [3, 3, 3],
      [6, 5, 4],
    ],
  });
  expect(midBlockType).toBeUndefined();
});

test.each([
  [{ block_out_channels: undefined }, "block_out_channels"],
  [{ block_out_channels: [320, 640, 1280, -8] }, "block_out_channels"],
  [{ layers_per_block: "2" }, "layers_per_block"],
  [{ _class_name: "UNet9DModel" }, "_class_name"],
  [{ down_block_types: ["HyperDownBlock2D", ...sd15.down_block_types.slice(1)] }, "HyperDownBlock2D"],
  [{ up_block_types: ["UpBlock2D"] }, "up_block_types: has 1 entries, block_out_channels has 4"],
  [{ norm_num_groups: 48 }, "norm_num_groups"],
  [{ attention_head_dim: 7 }, "attention_head_dim: 7 heads"],
  [{ class_embed_type: "timestep" }, 'class_embed_type: is "timestep"'],
  [{ attention_type: "gated" }, 'attention_type: is "gated", supported: default'],
  [{ addition_embed_type: "text_time" }, "addition_time_embed_dim: is missing"],
  [{ dropout: 0.1 }, "dropout"],
  [{ mid_block_type: "UNetMidBlock2DSimpleCrossAttn" }, 'mid_block_type: is "UNetMidBlock2DSimpleCrossAttn"'],
  [{ transformer_layers_per_block: [1, [2, 2], 1, 1] }, "reverse_transformer_layers_per_block: is missing"],
  [
    { transformer_layers_per_block: 1, reverse_transformer_layers_per_block: [[1, 1], 1, 1, 1] },
    "reverse_transformer_layers_per_block.0: has 2 entries, the level has 3 transformers",
  ],
  [
    { addition_embed_type: "text_time", addition_time_embed_dim: 256, projection_class_embeddings_input_dim: 256 },
    "projection_class_embeddings_input_dim: is 256",
  ],
])("%j is refused by its key", (changes, mention) => {
  expect(() => parse(changes)).toThrow(mention);
  expect(() => parse(changes)).toThrow(expect.objectContaining({ kind: "invalid", details: expect.anything() }));
});

test("something that is not an object is refused by the file's name", () => {
  expect(() => parseUnetConfig([], "unet/config.json")).toThrow(/unet\/config\.json/);
});

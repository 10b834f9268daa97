import { parseVaeConfig, vaeFactor } from "./config.js";

/** SD-1.5's file, which omits the scaling factor. */
const sd15 = {
  _class_name: "AutoencoderKL",
  block_out_channels: [128, 256, 512, 512],
  down_block_types: Array(4).fill("DownEncoderBlock2D"),
  up_block_types: Array(4).fill("UpDecoderBlock2D"),
  layers_per_block: 2,
  sample_size: 512,
};

test("omitted settings have diffusers' defaults", () => {
  const config = parseVaeConfig(sd15, "");
  expect(config).toMatchObject({ scalingFactor: 0.18215, latentChannels: 4, normNumGroups: 32, useQuantConv: true });
  expect(vaeFactor(config)).toBe(8);
});

test.each([
  [{ block_out_channels: undefined }, "block_out_channels"],
  [{ up_block_types: ["UpDecoderBlock2D"] }, "up_block_types: has 1 entries"],
  [{ down_block_types: Array(4).fill("AttnDownEncoderBlock2D") }, "down_block_types.0"],
  [{ shift_factor: 0.1 }, "shift_factor"],
  [{ norm_num_groups: 5 }, "norm_num_groups"],
])("%j is refused by its key", (changes, mention) => {
  expect(() => parseVaeConfig({ ...sd15, ...changes }, "vae/config.json")).toThrow(mention);
});

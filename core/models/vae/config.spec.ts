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

test("statistics of the latents count where both are told", () => {
  const [latents_mean, latents_std] = [
    [1, 2, 3, 4],
    [5, 6, 7, 8],
  ];
  expect(parseVaeConfig({ ...sd15, latents_mean, latents_std }, "").statistics).toEqual({
    mean: latents_mean,
    std: latents_std,
  });
  expect(parseVaeConfig({ ...sd15, latents_mean, latents_std: null }, "").statistics).toBeUndefined();
});

test.each([
  [{ latents_std: [1, 2] }, "latents_std: has 2 entries, latent_channels is 4"],
  [{ block_out_channels: undefined }, "block_out_channels"],
  [{ up_block_types: ["UpDecoderBlock2D"] }, "up_block_types: has 1 entries"],
  [{ down_block_types: Array(4).fill("AttnDownEncoderBlock2D") }, "down_block_types.0"],
  [{ shift_factor: 0.1 }, "shift_factor"],
  [{ norm_num_groups: 5 }, "norm_num_groups"],
])("%j is refused by its key", (changes, mention) => {
  expect(() => parseVaeConfig({ ...sd15, ...changes }, "vae/config.json")).toThrow(mention);
});

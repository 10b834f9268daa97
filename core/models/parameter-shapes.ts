import { input } from "../graph/ops/index.js";
import type { Shape } from "../graph/value.js";
import { Parameters } from "../nn/parameters.js";
import type { ClipConfig, ClipTextConfig } from "./clip/config.js";
import { clipText, projectText } from "./clip/text.js";
import { clipVision, projectImage } from "./clip/vision.js";
import type { UnetConfig } from "./unet/config.js";
import { unet } from "./unet/unet.js";
import type { VaeConfig } from "./vae/config.js";
import { vaeDecode, vaeEncode } from "./vae/vae.js";

/** The shape of each parameter of a model, by the name it has in the model's file. */
export type ParameterShapes = ReadonlyMap<string, Shape>;

/** What a UNet of this configuration is made of, found by building its graph once; nothing of its size is allocated. */
export function unetParameterShapes(config: UnetConfig): ParameterShapes {
  const p = new Parameters();
  const side = 2 ** (config.blockOutChannels.length - 1);
  unet(p, config, {
    sample: input("sample", [1, config.inChannels, side, side]),
    timestep: input("timestep", [1]),
    encoderHiddenStates: input("encoder_hidden_states", [1, 1, config.crossAttentionDim]),
    added: config.textTime && {
      textEmbeds: input("text_embeds", [1, config.textTime.projectionInputDim - config.textTime.timeEmbedDim]),
      timeIds: input("time_ids", [1, 1]),
    },
  });
  return shapes(p);
}

/** What an AutoencoderKL is made of: encoder and decoder. */
export function vaeParameterShapes(config: VaeConfig): ParameterShapes {
  const p = new Parameters();
  const side = 2 ** (config.blockOutChannels.length - 1);
  vaeEncode(p, config, input("image", [1, config.inChannels, side, side]));
  vaeDecode(p, config, input("latents", [1, config.latentChannels, 1, 1]));
  return shapes(p);
}

/** What a CLIPTextModel (with projection, where the configuration says so) is made of. */
export function clipTextParameterShapes(config: ClipTextConfig): ParameterShapes {
  const p = new Parameters();
  clipText(p.at("text_model"), config, input("ids", [1, 1], "int64"));
  if (config.hasProjection) projectText(p, config, input("pooled", [1, config.hiddenSize]));
  return shapes(p);
}

/** What a CLIPModel is made of: both towers, their projections, and `logit_scale`. */
export function clipParameterShapes(config: ClipConfig): ParameterShapes {
  const { imageSize, numChannels, hiddenSize } = config.vision;
  const p = new Parameters();
  clipVision(p.at("vision_model"), config.vision, input("pixels", [1, numChannels, imageSize, imageSize]));
  projectImage(p, config.vision, input("pooled", [1, hiddenSize]));
  p.get("logit_scale", []);
  return new Map([...clipTextParameterShapes(config.text), ...shapes(p)]);
}

function shapes(p: Parameters): ParameterShapes {
  return new Map([...p.all()].map(([name, { shape }]) => [name, shape]));
}

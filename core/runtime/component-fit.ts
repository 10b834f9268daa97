import type { ModelFolder } from "../checkpoint/model-folder.js";
import { SpinError } from "../errors.js";
import type { ClipTextConfig } from "../models/clip/config.js";
import type { ClipTokenizer } from "../models/clip/tokenizer.js";
import { TIME_IDS } from "./conditions.js";
import type { Tokenizers } from "./text-conditioning.js";

type Setting = readonly [name: string, value: number | undefined];

/** @throws SpinError "invalid" naming the settings where one component's output is not what the next one takes. */
export function checkFit(model: ModelFolder, { first, second }: Tokenizers): void {
  const { path, xl, unet, vae, textEncoder, textEncoder2 } = model;
  const inChannels: Setting = ["the UNet's in_channels", unet?.config.inChannels];
  const problems = [
    equal(inChannels, ["its out_channels", unet?.config.outChannels]),
    equal(inChannels, ["the VAE's latent_channels", vae?.config.latentChannels]),
    ...(xl === undefined ? sdProblems(model) : xlProblems(model)),
    ...tokenizerProblems("text encoder", textEncoder?.config, "tokenizer", first),
    ...tokenizerProblems("second text encoder", textEncoder2?.config, "second tokenizer", second),
    equal(
      ["the tokenizer's model_max_length", first?.modelMaxLength],
      ["the second tokenizer's model_max_length", second?.modelMaxLength],
    ),
  ].filter((problem) => problem !== undefined);
  if (problems.length === 0) return;
  const remedy = "take all components from one model";
  throw new SpinError("invalid", `${path}: ${problems.join("; ")}`, { file: path, remedy });
}

function sdProblems({ unet, textEncoder }: ModelFolder): (string | undefined)[] {
  return [
    equal(
      ["the text encoder's hidden_size", textEncoder?.config.hiddenSize],
      ["the UNet's cross_attention_dim", unet?.config.crossAttentionDim],
    ),
    unet?.config.textTime
      ? "the UNet's addition_embed_type is text_time, which needs a StableDiffusionXLPipeline"
      : undefined,
  ];
}

function xlProblems({ unet, textEncoder, textEncoder2 }: ModelFolder): (string | undefined)[] {
  const hidden = textEncoder2 && (textEncoder?.config.hiddenSize ?? 0) + textEncoder2.config.hiddenSize;
  const pooled = textEncoder2?.config.projectionDim;
  const { textTime } = unet?.config ?? {};
  return [
    equal(
      ["the text encoders' hidden_size together", hidden],
      ["the UNet's cross_attention_dim", unet?.config.crossAttentionDim],
    ),
    equal(
      [
        "the second text encoder's projection_dim with the pictures' sizes",
        pooled && textTime && pooled + TIME_IDS * textTime.timeEmbedDim,
      ],
      ["the UNet's projection_class_embeddings_input_dim", textTime?.projectionInputDim],
    ),
    unet && !textTime && "the UNet's addition_embed_type is not text_time, which a StableDiffusionXLPipeline needs",
    textEncoder2?.config.hasProjection === false && "the second text encoder has no projection",
  ].map((problem) => problem || undefined);
}

function tokenizerProblems(
  encoder: string,
  config: ClipTextConfig | undefined,
  name: string,
  tokenizer: ClipTokenizer | undefined,
): (string | undefined)[] {
  return [
    atLeast(
      [`the ${encoder}'s vocab_size`, config?.vocabSize],
      [`the ${name}'s number of tokens`, tokenizer?.vocabularySize],
    ),
    atLeast(
      [`the ${encoder}'s max_position_embeddings`, config?.maxPositionEmbeddings],
      [`the ${name}'s model_max_length`, tokenizer?.modelMaxLength],
    ),
  ];
}

function equal([name, value]: Setting, [otherName, other]: Setting): string | undefined {
  const isKnown = value !== undefined && other !== undefined;
  return isKnown && value !== other ? `${name} is ${value}, ${otherName} is ${other}` : undefined;
}

function atLeast([name, value]: Setting, [otherName, other]: Setting): string | undefined {
  const isKnown = value !== undefined && other !== undefined;
  return isKnown && value < other ? `${name} is ${value}, ${otherName} is ${other}` : undefined;
}

import type { ModelFolder } from "../checkpoint/model-folder.js";
import { SpinError } from "../errors.js";
import type { ClipTokenizer } from "../models/clip/tokenizer.js";

type Setting = readonly [name: string, value: number | undefined];

/** @throws SpinError "invalid" naming the settings where one component's output is not what the next one takes. */
export function checkFit({ path, unet, vae, textEncoder }: ModelFolder, tokenizer: ClipTokenizer | undefined): void {
  const inChannels: Setting = ["the UNet's in_channels", unet?.config.inChannels];
  const hiddenSize: Setting = ["the text encoder's hidden_size", textEncoder?.config.hiddenSize];
  const vocabSize: Setting = ["the text encoder's vocab_size", textEncoder?.config.vocabSize];
  const positions: Setting = ["the text encoder's max_position_embeddings", textEncoder?.config.maxPositionEmbeddings];
  const problems = [
    equal(inChannels, ["its out_channels", unet?.config.outChannels]),
    equal(inChannels, ["the VAE's latent_channels", vae?.config.latentChannels]),
    equal(hiddenSize, ["the UNet's cross_attention_dim", unet?.config.crossAttentionDim]),
    atLeast(vocabSize, ["the tokenizer's number of tokens", tokenizer?.vocabularySize]),
    atLeast(positions, ["the tokenizer's model_max_length", tokenizer?.modelMaxLength]),
  ].filter((problem) => problem !== undefined);
  if (problems.length === 0) return;
  const remedy = "take all components from one model";
  throw new SpinError("invalid", `${path}: ${problems.join("; ")}`, { file: path, remedy });
}

function equal([name, value]: Setting, [otherName, other]: Setting): string | undefined {
  const isKnown = value !== undefined && other !== undefined;
  return isKnown && value !== other ? `${name} is ${value}, ${otherName} is ${other}` : undefined;
}

function atLeast([name, value]: Setting, [otherName, other]: Setting): string | undefined {
  const isKnown = value !== undefined && other !== undefined;
  return isKnown && value < other ? `${name} is ${value}, ${otherName} is ${other}` : undefined;
}

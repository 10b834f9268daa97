import { loadCase } from "../../test/reference/cases.js";
import { type ModelFolder, openModelFolder } from "../checkpoint/model-folder.js";
import { SpinError } from "../errors.js";
import { loadClipTokenizer } from "../models/clip/tokenizer.js";
import { checkFit } from "./component-fit.js";

const model = await openModelFolder(loadCase("sample/ddim").model("pipeline"));
const tokenizer = await loadClipTokenizer(model.tokenizer!);

test("the components of one model fit", () => {
  expect(() => checkFit(model, tokenizer)).not.toThrow();
});

test("components may be absent", () => {
  expect(() => checkFit({ path: model.path, unet: model.unet! }, undefined)).not.toThrow();
});

const { unet, vae, textEncoder } = model as Required<ModelFolder>;
test.each<[string, Partial<ModelFolder>]>([
  ["cross_attention_dim is 7", { unet: { ...unet, config: { ...unet.config, crossAttentionDim: 7 } } }],
  ["out_channels is 8", { unet: { ...unet, config: { ...unet.config, outChannels: 8 } } }],
  ["latent_channels is 16", { vae: { ...vae, config: { ...vae.config, latentChannels: 16 } } }],
  ["vocab_size is 5", { textEncoder: { ...textEncoder, config: { ...textEncoder.config, vocabSize: 5 } } }],
  [
    "max_position_embeddings is 8",
    { textEncoder: { ...textEncoder, config: { ...textEncoder.config, maxPositionEmbeddings: 8 } } },
  ],
])("a model whose %s is refused, with both settings named", (problem, changed) => {
  const check = () => checkFit({ ...model, ...changed }, tokenizer);
  expect(check).toThrow(SpinError);
  expect(check).toThrow(problem);
});

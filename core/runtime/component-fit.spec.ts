import { join } from "node:path";
import { loadCase } from "../../test/reference/cases.js";
import { useSharedFolder } from "../../test/support/temporary-folder.js";
import { writeTinyXlModel } from "../../test/support/tiny-xl-model.js";
import { type ModelFolder, openModelFolder } from "../checkpoint/model-folder.js";
import { SpinError } from "../errors.js";
import { loadClipTokenizer } from "../models/clip/tokenizer.js";
import { checkFit } from "./component-fit.js";
import { loadTokenizers } from "./text-conditioning.js";

const model = await openModelFolder(loadCase("sample/ddim").model("pipeline"));
const tokenizers = { first: await loadClipTokenizer(model.tokenizer!) };

test("the components of one model fit", () => {
  expect(() => checkFit(model, tokenizers)).not.toThrow();
});

test("components may be absent", () => {
  expect(() => checkFit({ path: model.path, unet: model.unet! }, {})).not.toThrow();
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
  const check = () => checkFit({ ...model, ...changed }, tokenizers);
  expect(check).toThrow(SpinError);
  expect(check).toThrow(problem);
});

describe("of SDXL", () => {
  const folder = useSharedFolder();
  test("both encoders together fit the UNet, and what does not is named", async () => {
    const path = join(folder(), "xl");
    await writeTinyXlModel(path);
    const xlModel = await openModelFolder(path);
    const both = await loadTokenizers(xlModel);
    expect(() => checkFit(xlModel, both)).not.toThrow();
    const { unet, textEncoder2 } = xlModel as Required<ModelFolder>;
    const problems: [string, Partial<ModelFolder>][] = [
      ["hidden_size together is 24", { textEncoder: undefined }],
      [
        "pictures' sizes is 31",
        { textEncoder2: { ...textEncoder2, config: { ...textEncoder2.config, projectionDim: 7 } } },
      ],
      ["is not text_time", { unet: { ...unet, config: { ...unet.config, textTime: undefined } } }],
      ["needs a StableDiffusionXLPipeline", { xl: undefined }],
      [
        "second text encoder has no projection",
        { textEncoder2: { ...textEncoder2, config: { ...textEncoder2.config, hasProjection: false } } },
      ],
    ];
    for (const [problem, changed] of problems) {
      expect(() => checkFit({ ...xlModel, ...changed }, both)).toThrow(problem);
    }
    const shorter = { ...both.second!, modelMaxLength: 5 };
    expect(() => checkFit(xlModel, { ...both, second: shorter })).toThrow("second tokenizer's model_max_length is 5");
  });
});

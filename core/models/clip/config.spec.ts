import { parseClipConfig, parseClipTextConfig } from "./config.js";

test("omitted settings of the text tower have transformers' defaults", () => {
  expect(parseClipTextConfig({}, "")).toEqual({
    vocabSize: 49408,
    hiddenSize: 512,
    intermediateSize: 2048,
    projectionDim: 512,
    numHiddenLayers: 12,
    numAttentionHeads: 8,
    maxPositionEmbeddings: 77,
    hiddenAct: "quick_gelu",
    layerNormEps: 1e-5,
    eosTokenId: 49407,
    hasProjection: false,
  });
  const { hasProjection } = parseClipTextConfig({ architectures: ["CLIPTextModelWithProjection"] }, "");
  expect(hasProjection).toBe(true);
});

test("a CLIPModel's width of projection holds for both towers", () => {
  const clip = parseClipConfig({ projection_dim: 64, text_config: { hidden_size: 128 }, vision_config: {} }, "");
  expect(clip.text).toMatchObject({ hiddenSize: 128, projectionDim: 64, hasProjection: true });
  expect(clip.vision).toMatchObject({ hiddenSize: 768, projectionDim: 64, imageSize: 224, patchSize: 32 });
});

test("what is not supported is refused by file, section and key", () => {
  expect(() => parseClipTextConfig({ hidden_act: "relu" }, "a.json")).toThrow('a.json: hidden_act: is "relu"');
  expect(() => parseClipTextConfig({ num_attention_heads: 7 }, "")).toThrow("num_attention_heads");
  expect(() => parseClipConfig({ vision_config: { patch_size: 0 } }, "a.json")).toThrow(
    "a.json (vision_config): patch_size",
  );
});

test("a text encoder's file may be that of the whole CLIPModel", () => {
  const whole = { model_type: "clip", text_config: { hidden_size: 64, num_attention_heads: 4 }, projection_dim: 8 };
  expect(parseClipTextConfig(whole, "")).toMatchObject({ hiddenSize: 64, numAttentionHeads: 4, projectionDim: 512 });
  expect(() => parseClipTextConfig({ ...whole, text_config: { hidden_act: "relu" } }, "a.json")).toThrow(
    'a.json (text_config): hidden_act: is "relu"',
  );
});

test("a model that is to heed an attention mask is refused", () => {
  expect(() => parseClipTextConfig({ use_attention_mask: true }, "")).toThrow("use_attention_mask");
});

// Found by damaged configurations: a graph was built, and failed with an error of the program's own.
test("patches larger than the picture are refused", () => {
  const vision_config = { hidden_act: "gelu", image_size: 28, patch_size: 32 };
  const config = { model_type: "clip", text_config: { hidden_act: "gelu" }, vision_config };
  expect(() => parseClipConfig(config, "config.json")).toThrow("patch_size");
});

import { openSafetensors } from "../../../core/checkpoint/safetensors.js";
import * as ops from "../../../core/graph/ops/index.js";
import type { Value } from "../../../core/graph/value.js";
import { parseBlipConfig } from "../../../core/models/blip/config.js";
import { blipText } from "../../../core/models/blip/text.js";
import { blipVision } from "../../../core/models/blip/vision.js";
import { unitRows } from "../../../core/models/clip/clip.js";
import { rewardOf, scoreHead, scoreHeadLayers } from "../../../core/models/score-head.js";
import { linear } from "../../../core/nn/layers.js";
import type { Parameters } from "../../../core/nn/parameters.js";
import { createInference } from "../../../core/runtime/inference.js";
import type { ReferenceCase } from "../cases.js";
import type { CaseResult } from "../judge.js";
import { loadModel, toInt64 } from "./load-model.js";

export async function scoreBlip(reference: ReferenceCase): Promise<CaseResult> {
  const { config, weights } = await loadModel(reference.model("blip"), parseBlipConfig, "model");
  const pixels = await reference.floats("in.pixel_values");
  const { shape: pixelShape } = await reference.tensor("in.pixel_values");
  const { shape, data } = await reference.tensor("in.ids");
  const mask = Float32Array.from((await reference.tensor("in.mask")).data, Number);
  const batch = shape[0]!;
  const firstOf = (states: Value) => ops.reshape(ops.slice(states, 1, 0, 1), [states.shape[0]!, states.shape[2]!]);
  const build = (p: Parameters) => {
    const [ids, valid] = [ops.input("ids", shape, "int64"), ops.input("mask", shape)];
    const image = blipVision(p.at("vision_model"), config.vision, ops.input("pixels", pixelShape));
    const text = blipText(p.at("text_encoder"), config.text, ids, valid, image);
    const alone = blipText(p.at("text_encoder"), config.text, ids, valid);
    const project = (name: string, states: Value) =>
      unitRows(linear(p.at(name), firstOf(states), config.projectionDim));
    return {
      "out.vision_last_hidden_state": image,
      "out.text_last_hidden_state": text,
      "out.itm_logits": linear(p.at("itm_head"), firstOf(text), 2),
      "out.itc_cosine": ops.matmul(project("vision_proj", image), project("text_proj", alone), { transposeB: true }),
      state: firstOf(text),
    };
  };
  const session = await createInference(build, weights);
  const { state, ...results } = await session.run({ ids: toInt64(data), mask, pixels });
  await session.release();
  const head = await openSafetensors(reference.model("mlp"));
  const input = ops.input("state", [batch, config.text.hiddenSize]);
  const reward = await createInference((p) => ({ out: scoreHead(p, input, scoreHeadLayers(head)) }), head);
  const { out } = await reward.run({ state: state! });
  await reward.release();
  const tensors = await Promise.all(
    Object.entries(results).map(
      async ([name, values]) => [name, { shape: (await reference.tensor(name)).shape, data: values }] as const,
    ),
  );
  return {
    tensors: { ...Object.fromEntries(tensors), "out.reward": { shape: [batch], data: out!.map(rewardOf) } },
  };
}

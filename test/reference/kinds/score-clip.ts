import { openModelFolder, requireComponent } from "../../../core/checkpoint/model-folder.js";
import { openOpenClip, openWeightsFile } from "../../../core/checkpoint/open-clip.js";
import type { SafetensorsFile } from "../../../core/checkpoint/safetensors.js";
import * as ops from "../../../core/graph/ops/index.js";
import type { Value } from "../../../core/graph/value.js";
import { clipImageEmbeds, clipTextEmbeds, unitRows } from "../../../core/models/clip/clip.js";
import type { ClipConfig } from "../../../core/models/clip/config.js";
import { endPositions } from "../../../core/models/clip/text.js";
import { clipVisionStates } from "../../../core/models/clip/vision.js";
import { scoreHead, scoreHeadLayers } from "../../../core/models/score-head.js";
import type { Parameters } from "../../../core/nn/parameters.js";
import { createInference } from "../../../core/runtime/inference.js";
import type { CaseTensor, ReferenceCase } from "../cases.js";
import { type CaseResult, judge } from "../judge.js";
import { toInt64 } from "./load-model.js";

type Tensors = Record<string, CaseTensor>;

/** The case's weights in each of their forms; all have to give what is expected. */
export async function scoreClip(reference: ReferenceCase): Promise<CaseResult> {
  const { config, weights } = requireComponent(await openModelFolder(reference.model("clip")), "clip");
  const [logitScale] = await weights.readFloat32("logit_scale");
  const heads = await Promise.all(
    ["aesthetic.safetensors", "aesthetic.pth"].map(async (role) => openWeightsFile(reference.model(role))),
  );
  const tensors = await scores(reference, config, weights, heads[0]!);
  const checks: Record<string, string | undefined> = {};
  for (const role of ["open_clip.safetensors", "open_clip.pt"]) {
    const open = await openOpenClip(reference.model(role));
    const again = await scores(reference, open.config, open.weights, heads[1]!);
    const faults = await judge(reference, { tensors: again, values: { logit_scale: logitScale } });
    checks[`${role} and aesthetic.pth`] = faults.length === 0 ? undefined : faults.join("; ");
  }
  return { tensors, values: { logit_scale: logitScale }, checks };
}

async function scores(
  reference: ReferenceCase,
  config: ClipConfig,
  weights: SafetensorsFile,
  head: SafetensorsFile,
): Promise<Tensors> {
  const { shape: pixelShape } = await reference.tensor("in.pixel_values");
  const { shape: idShape, data } = await reference.tensor("in.ids");
  const [batch, length] = idShape as [number, number];
  const ids = toInt64(data);
  const rows = Array.from({ length: batch }, (_, i) => ids.subarray(i * length, (i + 1) * length));
  const feeds = {
    pixels: await reference.floats("in.pixel_values"),
    ids,
    end: endPositions(rows, config.text),
  };
  const embed = (p: Parameters) => {
    const pixels = ops.input("pixels", pixelShape);
    const image = clipImageEmbeds(p, config, pixels);
    const text = clipTextEmbeds(p, config, ops.input("ids", idShape, "int64"), ops.input("end", [batch], "int64"));
    const cosine = ops.matmul(unitRows(text), unitRows(image), { transposeB: true });
    const pickscore = ops.mul(cosine, ops.exp(p.get("logit_scale", [])));
    return {
      "out.image_embeds": image,
      "out.text_embeds": text,
      "out.cosine": cosine,
      "out.pickscore": pickscore,
      "out.pick_probability": softmaxRows(pickscore),
      "out.vision_last_hidden_state": clipVisionStates(p.at("vision_model"), config.vision, pixels),
    };
  };
  const session = await createInference(embed, weights);
  const results = await session.run(feeds);
  await session.release();
  const expected = await Promise.all(Object.keys(results).map((name) => reference.tensor(name)));
  const tensors: Tensors = Object.fromEntries(
    Object.entries(results).map(([name, values], i) => [name, { shape: expected[i]!.shape, data: values }]),
  );
  const cosine = results["out.cosine"]!;
  const images = pixelShape[0]!;
  tensors["out.hps"] = { shape: [batch], data: Float32Array.from(rows, (_, i) => 100 * cosine[i * images + i]!) };
  const aesthetic = await aestheticScores(results["out.image_embeds"]!, config.projectionDim, head);
  return { ...tensors, "out.aesthetic": { shape: [images], data: aesthetic } };
}

async function aestheticScores(embeds: Float32Array, width: number, head: SafetensorsFile): Promise<Float32Array> {
  const input = ops.input("embeds", [embeds.length / width, width]);
  const layers = scoreHeadLayers(head);
  const session = await createInference((p) => ({ score: scoreHead(p, unitRows(input), layers) }), head);
  const { score } = await session.run({ embeds });
  await session.release();
  return score!;
}

/** softmax over the last axis of x [N, M]. */
function softmaxRows(x: Value): Value {
  const e = ops.exp(x);
  return ops.div(e, ops.reduceSum(e, [-1]));
}

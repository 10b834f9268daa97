import { openModelFolder, requireComponent } from "../../../core/checkpoint/model-folder.js";
import * as ops from "../../../core/graph/ops/index.js";
import { clipText, endPositions, finalNorm, pool, projectText } from "../../../core/models/clip/text.js";
import type { Parameters } from "../../../core/nn/parameters.js";
import { createInference } from "../../../core/runtime/inference.js";
import type { ReferenceCase } from "../cases.js";
import type { CaseResult } from "../judge.js";
import { toInt64 } from "./load-model.js";

export async function run(reference: ReferenceCase): Promise<CaseResult> {
  const model = await openModelFolder(reference.model("text_encoder"));
  const { config, weights } = requireComponent(model, "textEncoder");
  const { shape, data } = await reference.tensor("in.ids");
  const [batch, length] = shape as [number, number];
  const build = (p: Parameters) => {
    const scope = p.at("text_model");
    const { lastHiddenState, hiddenStates } = clipText(scope, config, ops.input("ids", shape, "int64"));
    const penultimate = hiddenStates.at(-2)!;
    const pooled = pool(lastHiddenState, ops.input("end", [batch], "int64"));
    return {
      "out.embedding": hiddenStates[0]!,
      "out.penultimate": penultimate,
      "out.clip_skip_1": finalNorm(scope, config, penultimate),
      "out.last_hidden_state": lastHiddenState,
      "out.pooled": pooled,
      ...(config.hasProjection ? { "out.text_embeds": projectText(p, config, pooled) } : {}),
    };
  };
  const ids = toInt64(data);
  const rows = Array.from({ length: batch }, (_, i) => ids.subarray(i * length, (i + 1) * length));
  const session = await createInference(build, weights);
  const results = await session.run({ ids, end: endPositions(rows, config) });
  await session.release();
  const width = (name: string) => results[name]!.length / batch;
  const states = (name: string) => [batch, length, width(name) / length];
  const tensors = Object.entries(results).map(([name, values]) => {
    const isPerRow = name === "out.pooled" || name === "out.text_embeds";
    return [name, { shape: isPerRow ? [batch, width(name)] : states(name), data: values }];
  });
  return { tensors: Object.fromEntries(tensors) };
}

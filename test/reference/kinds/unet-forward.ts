import * as ops from "../../../core/graph/ops/index.js";
import type { Value } from "../../../core/graph/value.js";
import { parseUnetConfig } from "../../../core/models/unet/config.js";
import { type UnetInputs, unet } from "../../../core/models/unet/unet.js";
import { createInference } from "../../../core/runtime/inference.js";
import type { ReferenceCase } from "../cases.js";
import type { CaseResult } from "../judge.js";
import { loadModel } from "./load-model.js";

const WEIGHTS = "diffusion_pytorch_model";

/** The case's tensors, by the names of the graph's inputs. */
const NAMES = ["sample", "timestep", "encoder_hidden_states", "text_embeds", "time_ids"] as const;

/** The UNet's inputs as graph inputs, with the case's tensors to feed them. */
export async function unetInputs(reference: ReferenceCase) {
  const values = new Map<string, Value>();
  const feeds: Record<string, Float32Array> = {};
  for (const name of NAMES.filter((one) => reference.inputs.includes(`in.${one}`))) {
    const { shape, data } = await reference.tensor(`in.${name}`);
    values.set(name, ops.input(name, shape));
    feeds[name] = Float32Array.from(data as ArrayLike<number | bigint>, Number);
  }
  const textEmbeds = values.get("text_embeds");
  const inputs: UnetInputs = {
    sample: values.get("sample")!,
    timestep: values.get("timestep")!,
    encoderHiddenStates: values.get("encoder_hidden_states")!,
    added: textEmbeds && { textEmbeds, timeIds: values.get("time_ids")! },
  };
  return { inputs, values, feeds };
}

export const loadUnet = (folder: string) => loadModel(folder, parseUnetConfig, WEIGHTS);

export async function run(reference: ReferenceCase): Promise<CaseResult> {
  const { config, weights } = await loadUnet(reference.model("unet"));
  const { inputs, feeds } = await unetInputs(reference);
  const session = await createInference((p) => ({ prediction: unet(p, config, inputs) }), weights);
  const { prediction } = await session.run(feeds);
  await session.release();
  return { tensors: { "out.sample": { shape: (await reference.tensor("out.sample")).shape, data: prediction! } } };
}

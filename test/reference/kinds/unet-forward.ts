import * as ops from "../../../core/graph/ops/index.js";
import { parseUnetConfig } from "../../../core/models/unet/config.js";
import { type UnetInputs, unet } from "../../../core/models/unet/unet.js";
import { createInference } from "../../../core/runtime/inference.js";
import type { ReferenceCase } from "../cases.js";
import type { CaseResult } from "../judge.js";
import { loadModel } from "./load-model.js";

const WEIGHTS = "diffusion_pytorch_model";

/** The UNet's inputs as graph inputs, with the case's tensors to feed them. */
export async function unetInputs(reference: ReferenceCase) {
  const sample = await reference.tensor("in.sample");
  const states = await reference.tensor("in.encoder_hidden_states");
  const timestep = await reference.tensor("in.timestep");
  const inputs: UnetInputs = {
    sample: ops.input("sample", sample.shape),
    timestep: ops.input("timestep", timestep.shape),
    encoderHiddenStates: ops.input("encoder_hidden_states", states.shape),
  };
  const feeds = {
    sample: await reference.floats("in.sample"),
    timestep: Float32Array.from(timestep.data as ArrayLike<number | bigint>, Number),
    encoder_hidden_states: await reference.floats("in.encoder_hidden_states"),
  };
  return { inputs, feeds };
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

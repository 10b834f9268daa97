import { gradients } from "../../../core/graph/gradient.js";
import { emitModel } from "../../../core/graph/onnx.js";
import * as ops from "../../../core/graph/ops/index.js";
import { Session } from "../../../core/graph/session.js";
import { unet } from "../../../core/models/unet/unet.js";
import { globalNorm } from "../../../core/nn/adamw.js";
import { Parameters } from "../../../core/nn/parameters.js";
import type { ReferenceCase } from "../cases.js";
import type { CaseResult } from "../judge.js";
import { loadUnet, unetInputs } from "./unet-forward.js";

export async function run(reference: ReferenceCase): Promise<CaseResult> {
  const { config, weights } = await loadUnet(reference.model("unet"));
  const { inputs, feeds } = await unetInputs(reference);
  const target = await reference.tensor("in.target");
  const p = new Parameters();
  const error = ops.sub(unet(p, config, inputs), ops.input("target", target.shape));
  const loss = ops.mean(ops.square(error));

  const values = [...p.all().values(), inputs.sample, inputs.encoderHiddenStates];
  const names = [...p.all().keys(), "sample", "encoder_hidden_states"];
  const grads = gradients(loss, values);
  const outputs = Object.fromEntries(names.map((name, i) => [`grad.${name}`, grads[i]!]));
  const session = await Session.create(emitModel({ loss, ...outputs }));
  const parameters: Record<string, Float32Array> = {};
  for (const name of p.all().keys()) parameters[name] = await weights.readFloat32(name);
  const results = await session.run({ ...parameters, ...feeds, target: await reference.floats("in.target") });
  await session.release();

  const gradient = (name: string) => results[`grad.${name}`]!;
  const tensor = (name: string, i: number) => ({ shape: values[i]!.shape, data: gradient(name) });
  const trained = [...p.all().keys()];
  const norms = trained.map((name) => [name, globalNorm(gradient(name))] as const);
  return {
    tensors: {
      ...Object.fromEntries(trained.map((name, i) => [`out.grad.${name}`, tensor(name, i)])),
      "out.grad_sample": tensor("sample", trained.length),
      "out.grad_encoder_hidden_states": tensor("encoder_hidden_states", trained.length + 1),
    },
    values: {
      loss: results.loss![0]!,
      gradient_norms: Object.fromEntries(norms),
      gradient_norm: Math.hypot(...norms.map(([, norm]) => norm)),
    },
  };
}

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
  const { inputs, values: inputValues, feeds } = await unetInputs(reference);
  const target = await reference.tensor("in.target");
  const p = new Parameters();
  const error = ops.sub(unet(p, config, inputs), ops.input("target", target.shape));
  const loss = ops.mean(ops.square(error));

  // Of the inputs, those that the case asks for.
  const asked = [...inputValues].filter(([name]) => `out.grad_${name}` in reference.expected);
  const wanted = [
    ...[...p.all()].map(([name, value]) => ({ output: `out.grad.${name}`, value })),
    ...asked.map(([name, value]) => ({ output: `out.grad_${name}`, value })),
  ];
  const grads = gradients(
    loss,
    wanted.map(({ value }) => value),
  );
  const outputs = Object.fromEntries(wanted.map(({ output }, i) => [output, grads[i]!]));
  const session = await Session.create(emitModel({ loss, ...outputs }));
  const parameters: Record<string, Float32Array> = {};
  for (const name of p.all().keys()) parameters[name] = await weights.readFloat32(name);
  const results = await session.run({ ...parameters, ...feeds, target: await reference.floats("in.target") });
  await session.release();

  const norms = [...p.all().keys()].map((name) => [name, globalNorm(results[`out.grad.${name}`]!)] as const);
  const tensors = wanted.map(({ output, value }) => [output, { shape: value.shape, data: results[output]! }]);
  return {
    tensors: Object.fromEntries(tensors),
    values: {
      loss: results.loss![0]!,
      gradient_norms: Object.fromEntries(norms),
      gradient_norm: Math.hypot(...norms.map(([, norm]) => norm)),
    },
  };
}

import { readLora } from "../../../core/checkpoint/lora-file.js";
import { mergedWeights } from "../../../core/checkpoint/lora-merge.js";
import * as ops from "../../../core/graph/ops/index.js";
import { chooseLoraLayers } from "../../../core/models/lora.js";
import { unetParameterShapes } from "../../../core/models/parameter-shapes.js";
import { globalNorm } from "../../../core/nn/adamw.js";
import { createUnetTraining } from "../../../core/runtime/unet-training.js";
import type { CaseTensor, ReferenceCase } from "../cases.js";
import type { CaseResult } from "../judge.js";
import { loadUnet, unetInputs } from "./unet-forward.js";

interface LoraParameters {
  readonly rank: number;
  readonly alpha: number;
  readonly target_modules: readonly string[];
}

const [GRADIENT, FUSED] = ["out.grad.", "out.fused."];

export async function run(reference: ReferenceCase): Promise<CaseResult> {
  const { rank, alpha, target_modules: targetModules } = reference.parameters as unknown as LoraParameters;
  const network = { folder: reference.model("unet"), ...(await loadUnet(reference.model("unet"))) };
  const shapes = unetParameterShapes(network.config);
  const lora = await readLora(reference.model("lora"), shapes);
  const chosen = chooseLoraLayers(shapes, { rank, alpha, targetModules });

  const { inputs, feeds } = await unetInputs(reference);
  const { shape } = await reference.tensor("in.target");
  const training = await createUnetTraining(
    network,
    (denoise) => {
      const sample = denoise(inputs.sample, inputs.timestep, inputs.encoderHiddenStates, inputs.added);
      return {
        loss: ops.mean(ops.square(ops.sub(sample, ops.input("target", shape)))),
        outputs: { prediction: sample },
      };
    },
    { lora },
  );
  const [outputs] = await training.accumulate([{ ...feeds, target: await reference.floats("in.target") }]);
  await training.release();

  const names = Object.keys(reference.expected);
  const tensors: Record<string, CaseTensor> = { "out.sample": { shape, data: outputs!.prediction! } };
  for (const name of names.filter((one) => one.startsWith(GRADIENT))) {
    const parameter = name.slice(GRADIENT.length);
    tensors[name] = { shape: training.shapes.get(parameter)!, data: training.gradient(parameter) };
  }
  const merged = mergedWeights(network.weights, lora);
  for (const name of names.filter((one) => one.startsWith(FUSED))) {
    const parameter = name.slice(FUSED.length);
    tensors[name] = { shape: shapes.get(parameter)!, data: await merged.readFloat32(parameter) };
  }
  const norms = [...training.shapes.keys()].map((name) => [name, globalNorm(training.gradient(name))]);
  const sorted = (layers: Iterable<[string, object]>) => [...layers].sort(([a], [b]) => (a < b ? -1 : 1));
  return {
    tensors,
    values: { loss: outputs!.loss![0]!, gradient_norms: Object.fromEntries(norms) },
    checks: {
      "the file's layers are those that the settings choose":
        JSON.stringify(sorted(lora.layers)) === JSON.stringify(sorted(chosen)) ? undefined : "they differ",
    },
  };
}

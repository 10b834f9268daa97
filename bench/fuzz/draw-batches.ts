import { createPhiloxStream } from "../../core/diffusion/philox.js";
import { samplingSpecDigest } from "../../core/service/digests.js";
import { encodeTensor } from "../../core/service/tensor-codec.js";
import {
  CropKind,
  type DrawBatch,
  SampleForm,
  SamplingSpec,
  TimestepChoice,
} from "../../proto/gen/spin/v1/sampling.js";
import { DataType } from "../../proto/gen/spin/v1/tensor.js";

/** Well-formed draws that no model made: numbers that depend on the sample's index alone. */

export const DRAW_LATENT = [2, 4, 4] as const;
export const DRAW_TEXT = [3, 5] as const;

const sha = (digit: string) => `sha256:${digit.repeat(64)}`;

/** Widths of SDXL's further conditions. */
export const DRAW_ADDED = { textEmbeds: 4, timeIds: 6 } as const;

/** A job of re-noised draws, two per sample, batches of three samples. */
export const DRAW_SPEC: SamplingSpec = SamplingSpec.fromPartial({
  checkpoint: { digest: sha("a"), modelName: "tiny" },
  dataset: { name: "emoji", digest: sha("b"), split: "train" },
  seed: 7n,
  iteration: 1,
  form: SampleForm.SAMPLE_FORM_RENOISED,
  settings: {
    sampler: { numSteps: 4, guidanceScale: 1 },
    timestepChoice: TimestepChoice.TIMESTEP_CHOICE_UNIFORM,
    drawsPerSample: 2,
    image: { crop: CropKind.CROP_KIND_CENTER },
    dtype: DataType.DATA_TYPE_FLOAT32,
    batchSize: 3,
  },
  computeFingerprint: sha("c"),
});

/** The same with the conditions of an SDXL model. */
export function xlDrawBatch(firstIndex: number): DrawBatch {
  const { batchSize } = DRAW_SPEC.settings!;
  const stream = createPhiloxStream(1n, { iteration: 1, index: firstIndex, purpose: 1 });
  const tensor = (width: number) => encodeTensor([batchSize, width], stream.normals(batchSize * width));
  return {
    ...drawBatch(firstIndex),
    textEmbeds: tensor(DRAW_ADDED.textEmbeds),
    timeIds: tensor(DRAW_ADDED.timeIds),
  };
}

/** The batch of a job that begins at this sample. */
export function drawBatch(firstIndex: number, spec: SamplingSpec = DRAW_SPEC): DrawBatch {
  const { batchSize, drawsPerSample } = spec.settings!;
  const count = batchSize * drawsPerSample;
  const stream = createPhiloxStream(spec.seed, { iteration: spec.iteration, index: firstIndex, purpose: 0 });
  const tensor = (shape: readonly number[]) =>
    encodeTensor(shape, stream.normals(shape.reduce((product, extent) => product * extent, 1)));
  const side = (isPair: boolean) => ({
    noisyLatents: tensor([count, ...DRAW_LATENT]),
    target: tensor([count, ...DRAW_LATENT]),
    referenceError: isPair ? encodeTensor([count], stream.normals(count).map(Math.abs)) : undefined,
  });
  const isPair = spec.form !== SampleForm.SAMPLE_FORM_REAL_ONLY;
  return {
    firstIndex,
    numSamples: batchSize,
    specDigest: samplingSpecDigest(spec),
    checkpointDigest: spec.checkpoint!.digest,
    computeFingerprint: spec.computeFingerprint,
    timesteps: encodeTensor(
      [count],
      Int32Array.from({ length: count }, () => stream.integer(1000)),
    ),
    previousTimesteps: undefined,
    encoderHiddenStates: tensor([batchSize, ...DRAW_TEXT]),
    textEmbeds: undefined,
    timeIds: undefined,
    real: side(isPair),
    synthetic: isPair ? side(true) : undefined,
    traceparent: "",
    computeSeconds: 0,
    contentDigest: "",
  };
}

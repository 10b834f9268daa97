import { addNoise } from "../../core/diffusion/forward-process.js";
import { alphasCumprod } from "../../core/diffusion/noise-schedule.js";
import { createPhiloxStream } from "../../core/diffusion/philox.js";
import { parseSchedulerConfig } from "../../core/diffusion/scheduler-config.js";
import { emitModel } from "../../core/graph/onnx.js";
import * as ops from "../../core/graph/ops/index.js";
import { Session } from "../../core/graph/session.js";
import type { Value } from "../../core/graph/value.js";
import { parseClipTextConfig } from "../../core/models/clip/config.js";
import { clipText } from "../../core/models/clip/text.js";
import { parseUnetConfig } from "../../core/models/unet/config.js";
import { unet } from "../../core/models/unet/unet.js";
import { Parameters } from "../../core/nn/parameters.js";
import { Training } from "../../core/nn/training.js";
import { batchIndices, PURPOSE } from "./batches.js";
import { initialWeights } from "./initial-weights.js";
import { type LoopOptions, trainStage } from "./loop.js";
import { stack } from "./pictures.js";
import { MAX_LENGTH, SCHEDULER_CONFIG, TEXT_CONFIG, UNET_CONFIG } from "./settings.js";

const BATCH = 16;
const LATENT = [4, 16, 16] as const;
const LATENT_SIZE = 4 * 16 * 16;
/** Share of captions replaced by the empty one, which guidance needs (Ho & Salimans 2021, §3.2). */
const DROPOUT = 0.1;
const TIMESTEPS = SCHEDULER_CONFIG.num_train_timesteps;

/** Which timesteps a part of the training sees, and what their errors weigh. */
interface Phase {
  /** Quantile function of t as a share of its range. */
  readonly quantile: (u: number) => number;
  readonly weight: (abar: number) => number;
}

/**
 * First, errors of noise weigh as much as those of velocity would, 1/ᾱ (Salimans & Ho 2022, §4, "SNR+1"), and timesteps are
 * drawn towards noise, where only the caption tells what the picture is. Errors of noise themselves are smallest there: with
 * even weights the model read the latents' last traces instead, and after 3,000 steps still ignored captions.
 */
const COMPOSITION: Phase = { quantile: Math.sqrt, weight: (abar) => 1 / abar };

/** Then all timesteps alike, and the weights half way (on a logarithmic scale) to even ones: edges and faces. */
const DETAIL: Phase = { quantile: (u) => u, weight: (abar) => 1 / Math.sqrt(abar) };

/** Scaled latents with the token ids of their captions. */
export interface Encoded {
  /** [4, 16, 16] each. */
  readonly latents: readonly Float32Array[];
  /** [MAX_LENGTH] each. */
  readonly ids: readonly Int32Array[];
}

/** Trains text encoder and UNet together; names are prefixed `text_encoder.` and `unet.`. */
export async function trainTextToImage(
  train: Encoded,
  held: Encoded,
  emptyIds: Int32Array,
  vocabularySize: number,
  seed: bigint,
  options: LoopOptions,
): Promise<ReadonlyMap<string, Float32Array>> {
  const objective = (p: Parameters) => {
    const error = ops.square(ops.sub(predict(p, vocabularySize), ops.input("noise", [BATCH, ...LATENT])));
    const weight = ops.input("weight", [BATCH, 1, 1, 1]);
    return { loss: ops.mean(ops.mul(error, weight)), outputs: {} };
  };
  const training = await Training.create(objective, initialWeights(seed, 1));
  const abar = alphasCumprod(parseSchedulerConfig(SCHEDULER_CONFIG, "demo/train/settings.ts"));

  const batch = (step: number) => {
    const rows = batchIndices(seed, step, BATCH, train.latents.length);
    const dropout = createPhiloxStream(seed, { iteration: step, index: 0, purpose: PURPOSE.dropout });
    const ids = rows.map((i) => (dropout.uniform() < DROPOUT ? emptyIds : train.ids[i]!));
    const timestep = createPhiloxStream(seed, { iteration: step, index: 0, purpose: PURPOSE.timestep });
    const phase = step < options.steps / 2 ? COMPOSITION : DETAIL;
    // One of each sixteenth of the distribution: the loss's variance over t is not sampled anew each step.
    const timesteps = rows.map((_, i) => Math.floor(phase.quantile((i + timestep.uniform()) / BATCH) * TIMESTEPS));
    return noisyBatch(
      rows.map((i) => train.latents[i]!),
      ids,
      timesteps,
      abar,
      phase.weight,
      seed,
      step,
    );
  };

  const validation = validationBatches(held, abar);
  const evaluate = await createEvaluation(objective);
  const validate = async (weights: ReadonlyMap<string, Float32Array>) => {
    let sum = 0;
    for (const feeds of validation) sum += (await evaluate.run({ ...Object.fromEntries(weights), ...feeds })).loss![0]!;
    return { validation: sum / validation.length };
  };
  const weights = await trainStage({ training, batch, validate }, options);
  await training.release();
  await evaluate.release();
  return weights;
}

function predict(p: Parameters, vocabularySize: number): Value {
  const text = parseClipTextConfig({ ...TEXT_CONFIG, vocab_size: vocabularySize }, "demo/train/settings.ts");
  const ids = ops.input("ids", [BATCH, MAX_LENGTH], "int64");
  const { lastHiddenState } = clipText(p.at("text_encoder", "text_model"), text, ids);
  return unet(p.at("unet"), parseUnetConfig(UNET_CONFIG, "demo/train/settings.ts"), {
    sample: ops.input("sample", [BATCH, ...LATENT]),
    timestep: ops.input("timestep", [BATCH]),
    encoderHiddenStates: lastHiddenState,
  });
}

/** The loss without gradients. */
async function createEvaluation(objective: (p: Parameters) => { loss: Value }): Promise<Session> {
  return Session.create(emitModel({ loss: objective(new Parameters()).loss }));
}

function noisyBatch(
  latents: readonly Float32Array[],
  ids: readonly Int32Array[],
  timesteps: readonly number[],
  abar: Float32Array,
  weightOf: Phase["weight"],
  seed: bigint,
  step: number,
) {
  const noise = createPhiloxStream(seed, { iteration: step, index: 0, purpose: PURPOSE.noise }).normals(
    BATCH * LATENT_SIZE,
  );
  return {
    sample: addNoise(
      stack(latents),
      noise,
      timesteps.map((t) => abar[t]!),
    ),
    timestep: Float32Array.from(timesteps),
    weight: Float32Array.from(timesteps, (t) => weightOf(abar[t]!)),
    ids: BigInt64Array.from(
      ids.flatMap((row) => [...row]),
      BigInt,
    ),
    noise,
  };
}

/** All held-out pictures once, at timesteps spread over the range, with noise of their own: the same at every validation. */
function validationBatches(held: Encoded, abar: Float32Array) {
  const seed = 1n;
  return Array.from({ length: Math.floor(held.latents.length / BATCH) }, (_, b) => {
    const rows = Array.from({ length: BATCH }, (_, i) => b * BATCH + i);
    const timesteps = rows.map((_, i) => Math.floor(((i + 0.5) * TIMESTEPS) / BATCH));
    return noisyBatch(
      rows.map((i) => held.latents[i]!),
      rows.map((i) => held.ids[i]!),
      timesteps,
      abar,
      COMPOSITION.weight,
      seed,
      b,
    );
  });
}

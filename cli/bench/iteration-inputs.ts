import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { requireComponent } from "../../core/checkpoint/model-folder.js";
import { decodeImage, encodeImage, type RgbImage } from "../../core/data/image.js";
import { createPhiloxStream } from "../../core/diffusion/philox.js";
import { SpinError } from "../../core/errors.js";
import { vaeFactor } from "../../core/models/vae/config.js";
import type { Pipeline } from "../../core/runtime/pipeline.js";
import { batchInputs } from "../../generator/batch-inputs.js";
import { ConditionEncoder } from "../../generator/condition-encoder.js";
import type { BatchInputs, DrawJob } from "../../generator/draws.js";
import type { TrainingSource } from "../../generator/training-source.js";
import { SamplingSettings } from "../../proto/gen/spin/v1/sampling.js";
import type { BenchSettings } from "./settings.js";
import type { Subject } from "./subject.js";

/** The real side of an iteration. */
export interface IterationInputs {
  /** What the samples of a job are about, as θ_k's pipeline encodes it. */
  of(pipeline: Pipeline, job: DrawJob): Promise<BatchInputs>;
  release(): Promise<void>;
}

/** Random latents and text states, as though they had been encoded before. */
export function latentInputs(subject: Subject, batch: number): IterationInputs {
  const real = subject.normals([batch, ...subject.latent]);
  const inputs = { real, ...subject.conditions(batch), unconditional: subject.conditions(1) };
  return { of: async () => inputs, release: async () => undefined };
}

/** Room for all that an iteration encodes. */
const ENCODED_BYTES = 2 ** 30;

/**
 * Pictures in files and captions, as many as an iteration has samples, which it reads and encodes as the generator does: each once.
 * They are there before it begins.
 * @throws SpinError "invalid", in `of`, where captions have another length than the settings say
 */
export async function pictureInputs(
  subject: Subject,
  { batch, steps, tokens }: BenchSettings,
): Promise<IterationInputs> {
  const { config } = requireComponent(subject.model, "vae");
  const resolution = subject.latent[1] * vaeFactor(config);
  const folder = await mkdtemp(join(tmpdir(), "spin-bench-"));
  const fileOf = (index: number) => join(folder, `${index}.png`);
  for (let i = 0; i < batch * steps; i++) await writeFile(fileOf(i), await encodeImage(randomPicture(resolution, i)));
  const source: TrainingSource = {
    digest: "",
    size: batch * steps,
    flippable: false,
    caption: (index) => `a picture of subject number ${index}`,
    images: (index) => [async () => decodeImage(await readFile(fileOf(index)))],
    keys: (index) => [String(index)],
  };
  const settings = SamplingSettings.fromPartial({ batchSize: batch, image: {} });
  // Of the pipeline at hand: what one iteration has encoded is not there for the next.
  const encoders = new WeakMap<Pipeline, ConditionEncoder>();
  return {
    of: async (pipeline, job) => {
      const encoder = encoders.get(pipeline) ?? new ConditionEncoder(ENCODED_BYTES);
      encoders.set(pipeline, encoder);
      const model = { pipeline, textDigest: "", vaeDigest: "", latentScaling: config };
      const inputs = await batchInputs(model, encoder, source, job, settings, resolution, subject.latent);
      requireTokens(tokens, inputs.states.shape[1]!);
      return inputs;
    },
    release: () => rm(folder, { recursive: true, force: true }),
  };
}

/** The trainer's graph is made before any caption is encoded. */
function requireTokens(expected: number, got: number): void {
  if (got === expected) return;
  throw new SpinError("invalid", `the model's captions have ${got} tokens, not ${expected}`, {
    field: "tokens",
    remedy: `say --tokens ${got}`,
  });
}

function randomPicture(side: number, index: number): RgbImage {
  const stream = createPhiloxStream(1n, { iteration: 0, index, purpose: 1 });
  return { width: side, height: side, data: Uint8Array.from({ length: 3 * side * side }, () => stream.integer(256)) };
}

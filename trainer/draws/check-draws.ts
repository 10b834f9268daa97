import { SpinError } from "../../core/errors.js";
import { decodeFloat32, decodeInt32 } from "../../core/service/tensor-codec.js";
import { type DrawBatch, type DrawSide, SampleForm, type SamplingSpec } from "../../proto/gen/spin/v1/sampling.js";

/** One side of N draws. */
export interface Side {
  /** x_t, [N, C, H, W]. */
  readonly noisyLatents: Float32Array;
  /** What the model should have said there, [N, C, H, W]. */
  readonly target: Float32Array;
  /** e_k, [N]; absent for SFT. */
  readonly referenceError?: Float32Array;
}

/** The draws of one sampling batch, N in all, sample-major. */
export interface Draws {
  /** Draws of each sample. */
  readonly perSample: number;
  /** [N] */
  readonly timesteps: Int32Array;
  /** Text states of each sample, [N / perSample, L, X]. */
  readonly states: Float32Array;
  /** SDXL's further conditions of each sample: pooled text [N / perSample, P] and sizes [N / perSample, 6]. */
  readonly added?: { readonly textEmbeds: Float32Array; readonly timeIds: Float32Array };
  readonly real: Side;
  /** Absent for SFT. */
  readonly synthetic?: Side;
  /** Of the span that computed them; may be empty. */
  readonly traceparent: string;
}

/** What an iteration's draws must be. */
export interface Expected {
  readonly spec: SamplingSpec;
  readonly specDigest: string;
  /** [C, H, W] */
  readonly latent: readonly [number, number, number];
  /** [L, X] of the text states. */
  readonly text: readonly [number, number];
  /** Widths of SDXL's further conditions; absent for models without. */
  readonly added?: { readonly textEmbeds: number; readonly timeIds: number };
  readonly numTrainTimesteps: number;
  /** The trajectory's next timestep by timestep; undefined where any timestep will do. */
  readonly nextTimestep?: ReadonlyMap<number, number>;
  /** Timesteps of each sample's draws, in order; undefined where they are chosen at random. */
  readonly everyTimestep?: readonly number[];
}

/**
 * Reads a message of draws, and believes nothing: digests, fingerprint, place, shapes, timesteps and that every number is finite.
 *
 * @param firstIndex of the batch that was asked for
 * @throws SpinError "invalid" or "precondition" that names the field, what was expected and what came
 */
export function checkDraws(batch: DrawBatch | undefined, firstIndex: number, expected: Expected): Draws {
  if (batch === undefined) throw new SpinError("invalid", "batch: expected a message, got nothing", { field: "batch" });
  const { spec, specDigest, latent, text } = expected;
  const { batchSize, drawsPerSample } = spec.settings!;
  checkIdentity("spec_digest", batch.specDigest, specDigest);
  checkIdentity("checkpoint_digest", batch.checkpointDigest, spec.checkpoint!.digest);
  checkIdentity("compute_fingerprint", batch.computeFingerprint, spec.computeFingerprint);
  checkIdentity("first_index", batch.firstIndex, firstIndex);
  checkIdentity("num_samples", batch.numSamples, batchSize);

  const count = batchSize * drawsPerSample;
  const isPair = spec.form !== SampleForm.SAMPLE_FORM_REAL_ONLY;
  const timesteps = decodeInt32(batch.timesteps, "batch.timesteps", [count]).data;
  checkTimesteps(timesteps, batch, expected);
  const condition = (tensor: DrawBatch["textEmbeds"], field: string, shape: readonly number[]) => {
    const { data } = decodeFloat32(tensor, field, [batchSize, ...shape]);
    checkFinite(data, field);
    return data;
  };
  const states = condition(batch.encoderHiddenStates, "batch.encoder_hidden_states", text);
  const added = expected.added && {
    textEmbeds: condition(batch.textEmbeds, "batch.text_embeds", [expected.added.textEmbeds]),
    timeIds: condition(batch.timeIds, "batch.time_ids", [expected.added.timeIds]),
  };
  const side = (message: DrawSide | undefined, field: string) => decodeSide(message, field, [count, ...latent], isPair);
  return {
    perSample: drawsPerSample,
    timesteps,
    states,
    added,
    real: side(batch.real, "batch.real"),
    synthetic: isPair ? side(batch.synthetic, "batch.synthetic") : undefined,
    traceparent: batch.traceparent,
  };
}

function decodeSide(side: DrawSide | undefined, field: string, shape: number[], isPair: boolean): Side {
  const latents = (name: string, tensor: DrawSide["target"]) => {
    const { data } = decodeFloat32(tensor, `${field}.${name}`, shape);
    checkFinite(data, `${field}.${name}`);
    return data;
  };
  const noisyLatents = latents("noisy_latents", side?.noisyLatents);
  const target = latents("target", side?.target);
  if (!isPair) return { noisyLatents, target };
  const name = `${field}.reference_error`;
  const referenceError = decodeFloat32(side?.referenceError, name, [shape[0]]).data;
  checkFinite(referenceError, name);
  const negative = referenceError.findIndex((error) => error < 0);
  if (negative >= 0) throw refused(name, "squared errors", `${referenceError[negative]} at ${negative}`);
  return { noisyLatents, target, referenceError };
}

function checkTimesteps(timesteps: Int32Array, batch: DrawBatch, expected: Expected): void {
  const { numTrainTimesteps, nextTimestep, everyTimestep } = expected;
  const outside = timesteps.findIndex((t) => t < 0 || t >= numTrainTimesteps);
  if (outside >= 0) {
    throw refused("batch.timesteps", `0 to ${numTrainTimesteps - 1}`, `${timesteps[outside]} at ${outside}`);
  }
  const misplaced = everyTimestep && timesteps.findIndex((t, i) => t !== everyTimestep[i % everyTimestep.length]);
  if (misplaced !== undefined && misplaced >= 0) {
    const wanted = everyTimestep![misplaced % everyTimestep!.length];
    throw refused("batch.timesteps", `${wanted} at ${misplaced}`, String(timesteps[misplaced]));
  }
  if (nextTimestep === undefined) return;
  const field = "batch.previous_timesteps";
  const previous = decodeInt32(batch.previousTimesteps, field, [timesteps.length]).data;
  for (const [i, t] of timesteps.entries()) {
    const next = nextTimestep.get(t);
    if (next === undefined) throw refused("batch.timesteps", "timesteps of the trajectory", `${t} at ${i}`);
    // Below the last step any negative number stands for the image.
    if (Math.max(-1, previous[i]!) !== next) throw refused(field, `${next} after ${t}`, `${previous[i]} at ${i}`);
  }
}

function checkIdentity(name: string, got: string | number, expected: string | number): void {
  if (got === expected) return;
  const field = `batch.${name}`;
  throw new SpinError("precondition", `${field}: expected ${expected}, got ${got === "" ? "nothing" : got}`, { field });
}

function checkFinite(values: Float32Array, field: string): void {
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += values[i]! - values[i]!; // 0 of every finite number, NaN of any other.
  if (sum === 0) return;
  const at = values.findIndex((value) => !Number.isFinite(value));
  throw refused(field, "finite numbers", `${values[at]} at ${at}`);
}

function refused(field: string, expected: string, got: string): SpinError {
  return new SpinError("invalid", `${field}: expected ${expected}, got ${got}`, { field });
}

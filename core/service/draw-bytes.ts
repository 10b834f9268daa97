import { SampleForm } from "../../proto/gen/spin/v1/sampling.js";
import { RESPONSE_LIMIT_BYTES } from "./limits.js";

/** What a batch of draws consists of. */
export interface DrawSizes {
  readonly form: SampleForm;
  readonly drawsPerSample: number;
  /** Numbers in a latent: C·H·W. */
  readonly latentSize: number;
  /** Numbers in a sample's conditions: text states, pooled text and sizes. */
  readonly conditionSize: number;
}

/** Beside the tensors that are counted: timesteps, errors, names. */
const OVERHEAD_BYTES = 1 << 20;

/** Bytes of a message with the draws of so many samples, at most: x_t and target of one side or of both, and the conditions, in float32. */
export function drawBytes({ form, drawsPerSample, latentSize, conditionSize }: DrawSizes, samples: number): number {
  const tensors = form === SampleForm.SAMPLE_FORM_REAL_ONLY ? 2 : 4;
  return 4 * samples * (tensors * drawsPerSample * latentSize + conditionSize) + OVERHEAD_BYTES;
}

/** The most samples whose draws fit one message; 0 where those of a single one do not. */
export function mostSamples(sizes: DrawSizes): number {
  const each = drawBytes(sizes, 1) - OVERHEAD_BYTES;
  return Math.floor((RESPONSE_LIMIT_BYTES - OVERHEAD_BYTES) / each);
}

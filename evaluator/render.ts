import { SpinError } from "../core/errors.js";
import type { RpcChannel } from "../core/service/client.js";
import { sleep } from "../core/service/deadline.js";
import { asSpinError } from "../core/service/error-table.js";
import type { CheckpointRef } from "../proto/gen/spin/v1/checkpoint.js";
import {
  GeneratorServiceService,
  ImageFormat,
  RenderImagesRequest,
  type RenderImagesResponse,
} from "../proto/gen/spin/v1/generator_service.js";
import type { SamplerSettings } from "../proto/gen/spin/v1/sampling.js";

/** Pictures asked for in one call; a whole number of batches at most so many. */
const MAX_ITEMS = 1024;
/** Calls in a row that may fail without a picture before the evaluation gives up. */
const MAX_ATTEMPTS = 6;
/** Wait before the second attempt where the generator names no time; it doubles from then on. */
const FIRST_WAIT_MS = 500;

/** Which pictures to have rendered. */
export interface RenderJob {
  readonly checkpoint: CheckpointRef;
  /** One picture each. */
  readonly items: readonly { readonly prompt: string; readonly seed: bigint }[];
  readonly sampler: SamplerSettings;
  /** Pictures computed together: items are batched in the given order, whatever calls they come by. */
  readonly batchSize: number;
  /** Digest of the only fingerprint to accept; empty: that of the first picture. */
  readonly computeFingerprint: string;
  /** Position of the first picture wanted, 0 where unset; its batch is computed whole. */
  readonly first?: number;
}

/** A rendered picture and what it was rendered with. */
export interface RenderedPicture {
  /** Position in the job's items. */
  readonly index: number;
  readonly png: Uint8Array;
  readonly checkpointDigest: string;
  readonly computeFingerprint: string;
}

/**
 * Has a generator render pictures and yields them in order. A call that fails because the generator is away or busy is
 * made again from the first batch that is not complete, so that every picture is computed in the batch it belongs to.
 *
 * @throws SpinError `precondition` where a picture was rendered with other weights than asked for, or two pictures with
 * different weights or fingerprints; `corrupt` where the stream is not what was asked for; else what the generator
 * answers.
 */
export async function* renderPictures(
  channel: RpcChannel,
  job: RenderJob,
  signal: AbortSignal,
): AsyncGenerator<RenderedPicture, void, undefined> {
  const stamp = { checkpointDigest: job.checkpoint.digest, computeFingerprint: job.computeFingerprint };
  let [next, failures] = [job.first ?? 0, 0];
  while (next < job.items.length) {
    const first = next - (next % job.batchSize);
    const most = Math.max(1, Math.floor(MAX_ITEMS / job.batchSize)) * job.batchSize;
    const items = job.items.slice(first, first + most);
    try {
      let expected = first;
      for await (const response of channel.stream(GeneratorServiceService.renderImages, request(job, items), {
        signal,
      })) {
        checkPicture(response, expected - first, items[expected - first]?.prompt);
        checkStamp(response, stamp);
        // Computed once more for the batch's sake; the one from the first call was taken.
        if (expected++ < next) continue;
        next = expected;
        failures = 0;
        const { image, checkpointDigest, computeFingerprint } = response;
        yield { index: expected - 1, png: image, checkpointDigest, computeFingerprint };
      }
      if (expected < first + items.length) {
        throw new SpinError("unavailable", `the generator ended after ${expected - first} of ${items.length} pictures`);
      }
    } catch (thrown) {
      const error = asSpinError(thrown);
      const passing = error.kind === "unavailable" || error.kind === "exhausted";
      if (!passing || ++failures >= MAX_ATTEMPTS) throw error;
      const wait = error.details.retryAfterSeconds;
      await sleep(wait === undefined ? FIRST_WAIT_MS * 2 ** (failures - 1) : 1000 * wait, signal);
    }
  }
}

function request({ checkpoint, sampler, batchSize }: RenderJob, items: RenderJob["items"]): RenderImagesRequest {
  return RenderImagesRequest.fromPartial({
    checkpoint,
    items: items.map(({ prompt, seed }) => ({ caption: { $case: "prompt", value: prompt }, seed })),
    sampler,
    batchSize,
    format: ImageFormat.IMAGE_FORMAT_PNG,
  });
}

function checkPicture(
  { item, prompt, image }: RenderImagesResponse,
  expected: number,
  asked: string | undefined,
): void {
  if (item === expected && prompt === asked && image.length > 0) return;
  const came = `picture ${item} of "${prompt}" with ${image.length} bytes`;
  throw new SpinError("corrupt", `the generator sent ${came}, expected picture ${expected} of "${asked ?? ""}"`);
}

/** Weights and fingerprint are those of the first picture, and the weights those that were asked for. */
function checkStamp(
  response: RenderImagesResponse,
  stamp: { checkpointDigest: string; computeFingerprint: string },
): void {
  const names = { checkpointDigest: "weights", computeFingerprint: "compute fingerprint" } as const;
  for (const key of ["checkpointDigest", "computeFingerprint"] as const) {
    if (stamp[key] === "") stamp[key] = response[key];
    if (response[key] === stamp[key] && response[key] !== "") continue;
    const came = response[key] || "none";
    throw new SpinError("precondition", `a picture came with the ${names[key]} ${came}, expected ${stamp[key]}`, {
      remedy: "have every picture rendered by generators of one kind that hold these weights",
    });
  }
}

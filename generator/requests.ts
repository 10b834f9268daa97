import { z } from "zod";
import { SpinError } from "../core/errors.js";
import { checkRequestContent } from "../core/service/content-digest.js";
import {
  checkpointRef,
  datasetRef,
  digest,
  MAX_PROMPT_LENGTH,
  samplerSettings,
  sampleTrajectoriesRequest,
} from "../core/service/request-schemas.js";
import { checkRequest } from "../core/service/validation.js";
import type { CheckpointRef } from "../proto/gen/spin/v1/checkpoint.js";
import type { ComputeFingerprint } from "../proto/gen/spin/v1/common.js";
import {
  ImageFormat,
  type RenderImagesRequest,
  type SampleTrajectoriesRequest,
} from "../proto/gen/spin/v1/generator_service.js";
import type { SamplerSettings, SamplingSpec } from "../proto/gen/spin/v1/sampling.js";
import { DataType } from "../proto/gen/spin/v1/tensor.js";

/** Checks of the generator's requests: what the comments of the proto files promise. */

/** Samples are numbered by 32 bits. */
const MAX_SAMPLES = 2 ** 32;
/** Most pixels of one batch of pictures: 64 of 1024². */
const MAX_BATCH_PIXELS = 2 ** 26;

const caption = z.discriminatedUnion(
  "$case",
  [
    z.object({ $case: z.literal("prompt"), value: z.string().max(MAX_PROMPT_LENGTH) }),
    z.object({ $case: z.literal("captionIndex"), value: z.int().nonnegative() }),
  ],
  "a prompt or a caption_index",
);

const side = z.int().min(0).max(4096);

/** A request that was checked: what is required is there. */
export type CheckedRender = Omit<RenderImagesRequest, "checkpoint" | "sampler" | "items"> & {
  readonly checkpoint: CheckpointRef;
  readonly sampler: SamplerSettings;
  readonly items: readonly { readonly caption: z.infer<typeof caption>; readonly seed: bigint }[];
};

const renderImagesRequest: z.ZodType<CheckedRender> = z
  .object({
    checkpoint: checkpointRef,
    dataset: datasetRef.optional() as z.ZodType<RenderImagesRequest["dataset"]>,
    items: z
      .array(z.object({ caption, seed: z.bigint() }))
      .min(1)
      .max(10_000),
    sampler: samplerSettings,
    height: side,
    width: side,
    batchSize: z.int().min(0).max(256),
    format: z.literal(
      [ImageFormat.IMAGE_FORMAT_UNSPECIFIED, ImageFormat.IMAGE_FORMAT_PNG, ImageFormat.IMAGE_FORMAT_WEBP],
      "one of IMAGE_FORMAT_UNSPECIFIED, IMAGE_FORMAT_PNG, IMAGE_FORMAT_WEBP",
    ),
    includeLatents: z.boolean(),
  })
  .refine(({ dataset, items }) => dataset !== undefined || items.every((item) => item.caption.$case === "prompt"), {
    path: ["dataset"],
    error: "the data set that caption_index refers to",
  })
  .refine(({ height, width, batchSize }) => height * width * batchSize <= MAX_BATCH_PIXELS, {
    path: ["batchSize"],
    error: `at most ${MAX_BATCH_PIXELS} pixels in a batch`,
  });

/** @throws SpinError `invalid` naming each wrong field */
export function checkRender(request: RenderImagesRequest): CheckedRender {
  return checkRequest(renderImagesRequest, request);
}

/**
 * @throws SpinError `corrupt` for a request that was changed on its way, `invalid` naming each wrong field, `precondition` for what this generator does not compute: another fingerprint, number of threads
 * or precision
 */
export function checkSampling(
  request: SampleTrajectoriesRequest,
  fingerprint: ComputeFingerprint,
): SampleTrajectoriesRequest & { spec: SamplingSpec } {
  // What was changed on its way is no mistake of the caller's.
  if (digest.safeParse(request.contentDigest).success) checkRequestContent(request);
  const checked = checkRequest(sampleTrajectoriesRequest, request);
  const { spec, firstIndex, numSamples } = checked;
  if (firstIndex + numSamples > MAX_SAMPLES) {
    const message = `num_samples: expected a range that ends by ${MAX_SAMPLES}, got ${firstIndex} + ${numSamples}`;
    throw new SpinError("invalid", message, { field: "num_samples" });
  }
  const pinned = spec.computeFingerprint;
  if (pinned !== "" && pinned !== fingerprint.digest) {
    throw new SpinError(
      "precondition",
      `this generator's fingerprint is ${fingerprint.digest}, the spec asks for ${pinned}`,
      {
        field: "spec.compute_fingerprint",
        remedy: "ask a generator of the same software, processor and threads",
      },
    );
  }
  const { threads, dtype } = spec.settings!;
  if (threads !== 0 && fingerprint.provider === "cpu" && threads !== fingerprint.threads) {
    throw new SpinError(
      "precondition",
      `this generator runs ${fingerprint.threads} threads, the spec asks for ${threads}`,
      {
        field: "spec.settings.threads",
        remedy: `set THREADS of the generator to ${threads}`,
      },
    );
  }
  if (dtype !== DataType.DATA_TYPE_FLOAT32) {
    throw new SpinError("precondition", "this generator computes in float32 alone", {
      field: "spec.settings.dtype",
      remedy: "ask for DATA_TYPE_FLOAT32",
    });
  }
  return checked;
}

import { samplingSpecDigest } from "../core/service/digests.js";
import { type BoundService, defineService } from "../core/service/handlers.js";
import { count } from "../core/service/metrics.js";
import { encodeTensor } from "../core/service/tensor-codec.js";
import { currentTraceparent, withSpan } from "../core/service/tracing.js";
import type { ComputeFingerprint } from "../proto/gen/spin/v1/common.js";
import {
  type Generator,
  GeneratorServiceService,
  ImageFormat,
  type RenderImagesRequest,
  type RenderImagesResponse,
  type SampleTrajectoriesRequest,
} from "../proto/gen/spin/v1/generator_service.js";
import type { CheckpointStore } from "./checkpoint-store.js";
import type { Compute } from "./compute.js";
import type { Place } from "./compute-queue.js";
import { samplerChoice } from "./draw-job.js";
import { earlierOpponent } from "./opponent.js";
import type { PictureJob } from "./pictures.js";
import { type CheckedRender, checkRender, checkSampling } from "./requests.js";

export interface GeneratorParts {
  readonly store: CheckpointStore;
  readonly compute: Compute;
  readonly fingerprint: ComputeFingerprint;
  readonly version: string;
  /** For people to read. */
  readonly device: string;
}

const FORMATS: Partial<Record<ImageFormat, PictureJob["format"]>> = {
  [ImageFormat.IMAGE_FORMAT_PNG]: "png",
  [ImageFormat.IMAGE_FORMAT_WEBP]: "webp",
};

/** The contract, with draws that cross as they are: the worker has encoded them. */
const CONTRACT = {
  ...GeneratorServiceService,
  sampleTrajectories: {
    ...GeneratorServiceService.sampleTrajectories,
    responseSerialize: (message: Buffer) => message,
    responseDeserialize: (message: Buffer) => message,
  },
};

/** The generator's methods over its parts. */
export function generatorService(parts: GeneratorParts): BoundService {
  return defineService(CONTRACT, {
    sampleTrajectories: (request, { signal }) => sampleTrajectories(parts, request, signal),
    renderImages: (request, { signal }) => renderImages(parts, request, signal),
    getGenerator: async () => ({ generator: describe(parts) }),
  });
}

async function* sampleTrajectories(
  { store, compute, fingerprint }: GeneratorParts,
  request: SampleTrajectoriesRequest,
  signal: AbortSignal,
): AsyncGenerator<Buffer> {
  const { spec, firstIndex, numSamples } = checkSampling(request, fingerprint);
  const specDigest = samplingSpecDigest(spec);
  const { batchSize } = spec.settings!;
  const place = compute.queue.enter();
  try {
    const { checkpoint, release } = await store.acquire(spec.checkpoint!, "spec.checkpoint", signal);
    try {
      for (let first = firstIndex; first < firstIndex + numSamples; first += batchSize) {
        const attributes = { "spin.first_index": first, "spin.num_samples": batchSize };
        yield await withSpan("generator draws", { attributes }, async (span) => {
          const stamp = {
            firstIndex: first,
            numSamples: batchSize,
            specDigest,
            checkpointDigest: checkpoint.digest,
            computeFingerprint: fingerprint.digest,
            traceparent: currentTraceparent(span),
          };
          const earlier = earlierOpponent(spec, first);
          const opponent = earlier && (await store.acquire(earlier, "spec.earlier_checkpoints", signal));
          try {
            const request = { checkpoint, opponent: opponent?.checkpoint, spec, stamp };
            const { message, encodeSeconds } = await compute.draws(place, request, signal);
            count("spin.generator.sent", message.byteLength);
            span.setAttributes({ "spin.message_bytes": message.byteLength, "spin.encode_seconds": encodeSeconds });
            return Buffer.from(message.buffer, message.byteOffset, message.byteLength);
          } finally {
            opponent?.release();
          }
        });
      }
    } finally {
      release();
    }
  } finally {
    place.leave();
  }
}

async function* renderImages(
  { store, compute, fingerprint }: GeneratorParts,
  request: RenderImagesRequest,
  signal: AbortSignal,
): AsyncGenerator<RenderImagesResponse> {
  const checked = checkRender(request);
  const { sampler, height, width, includeLatents } = checked;
  const batchSize = checked.batchSize || 1;
  const place = compute.queue.enter();
  try {
    const { checkpoint, release } = await store.acquire(checked.checkpoint, "checkpoint", signal);
    try {
      const prompts = await promptsOf(compute, place, checked, signal);
      for (let first = 0; first < prompts.length; first += batchSize) {
        const items = prompts.slice(first, first + batchSize).map((prompt, i) => {
          return { prompt, seed: checked.items[first + i]!.seed };
        });
        const job: PictureJob = {
          items,
          batchSize,
          sampler: {
            ...samplerChoice(sampler),
            guidanceScale: sampler.guidanceScale,
            guidanceRescale: sampler.guidanceRescale,
          },
          negativePrompt: sampler.negativePrompt,
          clipSkip: sampler.clipSkip,
          height,
          width,
          format: FORMATS[checked.format],
        };
        const attributes = { "spin.first_item": first, "spin.num_items": items.length };
        const [pictures, traceparent] = await withSpan("generator pictures", { attributes }, async (span) => {
          const answer = await compute.pictures(place, { checkpoint, job }, signal);
          return [answer.pictures, currentTraceparent(span)] as const;
        });
        for (const [i, { image, latents, latentShape }] of pictures.entries()) {
          yield {
            item: first + i,
            checkpointDigest: checkpoint.digest,
            computeFingerprint: fingerprint.digest,
            prompt: items[i]!.prompt,
            image: Buffer.from(image ?? []),
            latents: includeLatents ? encodeTensor(latentShape, latents) : undefined,
            traceparent,
          };
        }
      }
    } finally {
      release();
    }
  } finally {
    place.leave();
  }
}

/** What each item shows: its prompt, or the caption that it refers to. */
async function promptsOf(
  compute: Compute,
  place: Place,
  { dataset, items }: CheckedRender,
  signal: AbortSignal,
): Promise<string[]> {
  const indices = items.flatMap(({ caption }, item) =>
    caption.$case === "captionIndex" ? [{ index: caption.value, field: `items[${item}].caption_index` }] : [],
  );
  const captions = indices.length === 0 ? [] : await compute.captions(place, { dataset: dataset!, indices }, signal);
  let next = 0;
  return items.map(({ caption }) => (caption.$case === "prompt" ? caption.value : captions[next++]!));
}

function describe({ compute, fingerprint, version, device }: GeneratorParts): Generator {
  const { queue, loaded, data } = compute;
  return {
    version,
    device,
    fingerprint,
    loadedCheckpoints: [...loaded],
    queueLength: queue.waiting,
    queueCapacity: queue.capacity,
    activeBatches: queue.active,
    data: [...data],
  };
}

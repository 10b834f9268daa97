import { createHash } from "node:crypto";
import { SampleTrajectoriesRequest } from "../../proto/gen/spin/v1/generator_service.js";
import { DrawBatch, type DrawSide } from "../../proto/gen/spin/v1/sampling.js";
import type { Tensor } from "../../proto/gen/spin/v1/tensor.js";
import { sha256Digest } from "../canonical-json.js";
import { SpinError } from "../errors.js";

/**
 * Digests that messages carry of their own content. TCP's sum of 16 bits lets errors pass, and without TLS nothing else stands between a
 * flipped bit on the way and the weights.
 */

const NOTHING = Buffer.alloc(0);

/** The request with the digest of its content. */
export function sealedRequest(request: SampleTrajectoriesRequest): SampleTrajectoriesRequest {
  return { ...request, contentDigest: requestDigest(request) };
}

/** @throws SpinError "corrupt" for a request that is not as it was sent; one that says nothing of its content passes */
export function checkRequestContent(request: SampleTrajectoriesRequest): void {
  if (request.contentDigest !== "") compare("content_digest", request.contentDigest, requestDigest(request));
}

/** The batch with the digest of its content; tensors' data is neither copied nor changed. */
export function sealedBatch(batch: DrawBatch): DrawBatch {
  return { ...batch, contentDigest: batchDigest(batch) };
}

/** @throws SpinError "corrupt" for a batch that is not as it was sent */
export function checkBatchContent(batch: DrawBatch): void {
  compare("batch.content_digest", batch.contentDigest, batchDigest(batch));
}

function requestDigest(request: SampleTrajectoriesRequest): string {
  return sha256Digest(SampleTrajectoriesRequest.encode({ ...request, contentDigest: "" }).finish());
}

function batchDigest(batch: DrawBatch): string {
  const data: Uint8Array[] = [];
  const without = (tensor: Tensor | undefined) => {
    if (tensor === undefined) return undefined;
    data.push(tensor.data);
    return { ...tensor, data: NOTHING };
  };
  const side = (tensors: DrawSide | undefined) =>
    tensors && {
      noisyLatents: without(tensors.noisyLatents),
      target: without(tensors.target),
      referenceError: without(tensors.referenceError),
    };
  // In the order of the fields' numbers, which is that of the data below.
  const bare: DrawBatch = {
    ...batch,
    timesteps: without(batch.timesteps),
    previousTimesteps: without(batch.previousTimesteps),
    encoderHiddenStates: without(batch.encoderHiddenStates),
    real: side(batch.real),
    synthetic: side(batch.synthetic),
    textEmbeds: without(batch.textEmbeds),
    timeIds: without(batch.timeIds),
    contentDigest: "",
  };
  const hash = createHash("sha256").update(DrawBatch.encode(bare).finish());
  for (const bytes of data) hash.update(bytes);
  return `sha256:${hash.digest("hex")}`;
}

function compare(field: string, claimed: string, found: string): void {
  if (claimed === found) return;
  const message = `${field}: expected ${claimed || "a digest"} as the message says, got ${found}: it was changed on its way`;
  throw new SpinError("corrupt", message, {
    field,
    remedy: "ask again; if it comes back, use TLS and check the network",
  });
}

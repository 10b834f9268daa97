import { ComputeFingerprint } from "../../proto/gen/spin/v1/common.js";
import { SamplingSpec } from "../../proto/gen/spin/v1/sampling.js";
import { digestOf } from "../canonical-json.js";

/**
 * Identity of a sampling job: every batch of draws carries it. Over the spec's proto3 JSON, which omits defaults and so
 * does not change when a later version adds a field that nobody sets.
 */
export function samplingSpecDigest(spec: SamplingSpec): string {
  return digestOf(SamplingSpec.toJSON(spec));
}

/** A fingerprint with its digest filled in. */
export function withDigest(fingerprint: Omit<ComputeFingerprint, "digest">): ComputeFingerprint {
  const digest = digestOf(ComputeFingerprint.toJSON({ ...fingerprint, digest: "" }));
  return { ...fingerprint, digest };
}

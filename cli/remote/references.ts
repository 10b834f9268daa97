import { InvalidArgumentError } from "commander";
import { digestOf } from "../../core/canonical-json.js";
import { address } from "../../core/service/config.js";
import { checkpointRef, relativeName, requestId } from "../../core/service/request-schemas.js";
import type { CheckpointRef } from "../../proto/gen/spin/v1/checkpoint.js";

/** Reads `host:port`, for commander's options. */
export function serviceAddress(text: string): string {
  if (address.safeParse(text).success) return text;
  throw new InvalidArgumentError("Expected an address as 127.0.0.1:50052.");
}

/** Reads a checkpoint: `sha256:…`, or the name of a model folder of the service. */
export function checkpoint(text: string): CheckpointRef {
  const ref = text.startsWith("sha256:") ? { digest: text, modelName: "" } : { digest: "", modelName: text };
  if (checkpointRef.safeParse(ref).success) return ref;
  throw new InvalidArgumentError("Expected sha256: and 64 digits, or the name of a model folder of the service.");
}

/** Reads the name of a data set, prompt set or scorer of the service. */
export function resourceName(text: string): string {
  if (relativeName.safeParse(text).success) return text;
  throw new InvalidArgumentError("Expected a name as emoji/winners.");
}

/** Reads a name that a request may be known by, with room for a number behind it. */
export function jobName(text: string): string {
  if (requestId.safeParse(text).success && text.length <= 56) return text;
  throw new InvalidArgumentError("Expected 1 to 56 characters of [A-Za-z0-9._-].");
}

/** The name of a job that has none of its own: the same settings give the same one, so that a command finds its job again. */
export function nameOf(kind: string, settings: object): string {
  const plain: unknown = JSON.parse(
    JSON.stringify(settings, (_, value: unknown) => (typeof value === "bigint" ? String(value) : value)),
  );
  return `${kind}-${digestOf(plain).slice("sha256:".length, "sha256:".length + 12)}`;
}

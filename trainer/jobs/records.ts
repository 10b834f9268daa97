import * as z from "zod";
import { digestOf } from "../../core/canonical-json.js";
import { SpinError } from "../../core/errors.js";
import { parseConfig, parseMessage } from "../../core/json-config.js";
import { Iteration, Run } from "../../proto/gen/spin/v1/trainer_service.js";
import type { Configuration } from "../configuration.js";

/** Which request made a thing: repeated, it is answered with what exists. */
export interface Origin {
  readonly requestId: string;
  /** Digest of all the rest of the request. */
  readonly contentDigest: string;
}

/** A run as it is kept in `<runsDir>/<run>/run.json`. */
export interface RunRecord {
  readonly origin: Origin;
  run: Run;
}

/** An iteration as it is kept in `<runsDir>/<run>/iterations/<iteration>/iteration.json`. */
export interface IterationRecord {
  readonly origin: Origin;
  /** W3C trace context of the StartIteration call: the iteration's spans go on from there. */
  readonly traceparent: string;
  /** Of the trainer that began it, or that was made to go on with it. */
  configuration?: Configuration;
  /** Changes under which it was made to go on. */
  forced?: readonly string[];
  iteration: Iteration;
}

/** Writes down that an iteration goes on although something has changed. */
export function noteForced(record: IterationRecord, changed: readonly string[], afterStep: number): void {
  record.forced = [...(record.forced ?? []), ...changed.map((change) => `after step ${afterStep}: ${change}`)];
}

/** @param request the request's proto3 JSON form */
export function originOf(requestId: string, request: unknown): Origin {
  return { requestId, contentDigest: digestOf(request) };
}

/**
 * What an earlier request of the same id made, if any.
 * @throws SpinError "alreadyExists" where that request had other content
 */
export function findRepeated<R extends { readonly origin: Origin }>(
  records: Iterable<R>,
  origin: Origin,
): R | undefined {
  for (const record of records) {
    if (record.origin.requestId !== origin.requestId) continue;
    if (record.origin.contentDigest === origin.contentDigest) return record;
    throw new SpinError("alreadyExists", `request_id "${origin.requestId}" was used before, for another request`, {
      field: "request_id",
      remedy: "choose a new one",
    });
  }
  return undefined;
}

const origin = z.object({ requestId: z.string(), contentDigest: z.string() });
const message = z.record(z.string(), z.unknown());
const runFile = z.object({ origin, run: message });
const iterationFile = z.object({
  origin,
  traceparent: z.string(),
  configuration: z.record(z.string(), z.string()).optional(),
  forced: z.array(z.string()).optional(),
  iteration: message,
});

export function runToJson({ origin, run }: RunRecord): unknown {
  return { origin, run: Run.toJSON(run) };
}

/** @throws SpinError "invalid" or "corrupt" naming the file */
export function runFromJson(json: unknown, file: string): RunRecord {
  const parsed = parseConfig(runFile, json, file);
  return { origin: parsed.origin, run: parseMessage(Run.fromJSON, parsed.run, file) };
}

export function iterationToJson({ iteration, ...rest }: IterationRecord): unknown {
  return { ...rest, iteration: Iteration.toJSON(iteration) };
}

/** @throws SpinError "invalid" or "corrupt" naming the file */
export function iterationFromJson(json: unknown, file: string): IterationRecord {
  const { iteration, ...rest } = parseConfig(iterationFile, json, file);
  return { ...rest, iteration: parseMessage(Iteration.fromJSON, iteration, file) };
}

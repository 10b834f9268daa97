/** What went wrong, in the domain's own terms; `core/service/error-table.ts` alone maps these to gRPC codes. */
export type ErrorKind =
  /** The caller's request, configuration or file content is not valid. */
  | "invalid"
  /** A named thing (model, run, digest, file) does not exist. */
  | "notFound"
  /** A thing to be created exists already, with other content. */
  | "alreadyExists"
  /** The system's state does not allow it now: wrong digest, wrong fingerprint, run already active. */
  | "precondition"
  /** A limit was reached: disk, memory, queue, message size. */
  | "exhausted"
  /** The caller gave up, or a deadline passed. */
  | "cancelled"
  /** Stored or received bytes are not what they claim to be. */
  | "corrupt"
  /** The caller has not said who it is, or not so that it can be believed. */
  | "unauthenticated"
  /** The caller is known and may not do this. */
  | "forbidden"
  /** Another service could not be reached; trying again may help. */
  | "unavailable"
  /** Training has left the region where it makes sense: a number that is not finite, or a signal that an iteration stops at. */
  | "diverged"
  /** A broken promise of this program's own. */
  | "internal";

/** Facts a program can act on, beside the sentence for people. */
export interface ErrorDetails {
  /** Path of the offending field in the request or configuration, as `spec.num_steps`. */
  readonly field?: string;
  /** File that was being read or written. */
  readonly file?: string;
  /** Tensor that was being read, written or checked. */
  readonly tensor?: string;
  /** What to do about it. */
  readonly remedy?: string;
  /** Seconds after which trying again makes sense. */
  readonly retryAfterSeconds?: number;
  readonly cause?: unknown;
}

/** The one error type that crosses module boundaries: says what was wrong, where, and what to do. */
export class SpinError extends Error {
  readonly kind: ErrorKind;
  readonly details: ErrorDetails;

  constructor(kind: ErrorKind, message: string, details: ErrorDetails = {}) {
    super(details.remedy === undefined ? message : `${message}; ${details.remedy}`, { cause: details.cause });
    this.name = "SpinError";
    this.kind = kind;
    this.details = details;
  }
}

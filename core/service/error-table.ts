import { type Metadata, type ServiceError, status } from "@grpc/grpc-js";
import { type ErrorDetails, type ErrorKind, SpinError } from "../errors.js";
import { isTimeout } from "./deadline.js";
import { packDetails, unpackDetails } from "./error-details.js";

/** `domain` of our google.rpc.ErrorInfo. */
export const ERROR_DOMAIN = "spin-diffusion";

/**
 * Peers may refuse trailers beyond 8 KiB, and a message travels three times: percent-encoded, in the status, at its
 * field.
 */
const MAX_TEXT_BYTES = 700;

interface Row {
  readonly kind: ErrorKind;
  readonly code: status;
  readonly reason: string;
}

/** Which kind of error is which gRPC code; both directions read this table. */
const TABLE: readonly Row[] = [
  { kind: "invalid", code: status.INVALID_ARGUMENT, reason: "INVALID" },
  { kind: "notFound", code: status.NOT_FOUND, reason: "NOT_FOUND" },
  { kind: "alreadyExists", code: status.ALREADY_EXISTS, reason: "ALREADY_EXISTS" },
  { kind: "precondition", code: status.FAILED_PRECONDITION, reason: "PRECONDITION" },
  { kind: "exhausted", code: status.RESOURCE_EXHAUSTED, reason: "EXHAUSTED" },
  { kind: "cancelled", code: status.CANCELLED, reason: "CANCELLED" },
  { kind: "corrupt", code: status.DATA_LOSS, reason: "CORRUPT" },
  { kind: "unauthenticated", code: status.UNAUTHENTICATED, reason: "UNAUTHENTICATED" },
  { kind: "forbidden", code: status.PERMISSION_DENIED, reason: "FORBIDDEN" },
  { kind: "unavailable", code: status.UNAVAILABLE, reason: "UNAVAILABLE" },
  // Behind "precondition": an error of another origin with this code is that.
  { kind: "diverged", code: status.FAILED_PRECONDITION, reason: "DIVERGED" },
  { kind: "internal", code: status.INTERNAL, reason: "INTERNAL" },
];

/** Codes that others send and that have no row of their own. */
const OTHER_CODES: Partial<Record<status, ErrorKind>> = {
  [status.DEADLINE_EXCEEDED]: "cancelled",
  [status.OUT_OF_RANGE]: "invalid",
  [status.ABORTED]: "precondition",
  [status.UNIMPLEMENTED]: "precondition",
};

/** What grpc-js wants of a failed handler. */
export interface GrpcFailure {
  readonly code: status;
  readonly details: string;
  readonly metadata: Metadata;
}

/** UPPER_SNAKE_CASE name of a kind, as in google.rpc.ErrorInfo and in `spin.v1.Failure`. */
export function reasonOf(kind: ErrorKind): string {
  return TABLE.find((row) => row.kind === kind)!.reason;
}

/** Kind of a reason; `internal` for one that is unknown. */
export function kindOf(reason: string): ErrorKind {
  return TABLE.find((row) => row.reason === reason)?.kind ?? "internal";
}

/**
 * The gRPC status of an error, with google.rpc details: ErrorInfo always, BadRequest where a field is named, RetryInfo
 * where a delay is known. An error that is no SpinError says nothing of its inside: the service's log has it.
 */
export function toGrpcFailure(error: unknown): GrpcFailure {
  const known =
    error instanceof SpinError
      ? error
      : new SpinError("internal", "internal error", { remedy: "see the service's log" });
  const { kind, details } = known;
  const timeout = kind === "cancelled" && isTimeout(details.cause);
  const code = timeout ? status.DEADLINE_EXCEEDED : TABLE.find((row) => row.kind === kind)!.code;
  const message = shorten(known.message);
  const facts = { field: details.field, file: details.file, tensor: details.tensor, remedy: details.remedy };
  const metadata = Object.fromEntries(
    Object.entries(facts).flatMap(([name, fact]) => (fact === undefined ? [] : [[name, shorten(fact)]])),
  );
  return {
    code,
    details: message,
    metadata: packDetails(code, message, {
      errorInfo: { reason: reasonOf(kind), domain: ERROR_DOMAIN, metadata },
      badRequest:
        details.field === undefined
          ? undefined
          : { fieldViolations: [{ field: shorten(details.field), description: message }] },
      retryInfo:
        details.retryAfterSeconds === undefined ? undefined : { retryDelay: toDuration(details.retryAfterSeconds) },
    }),
  };
}

/** The error of a failed call, as the service meant it; an error of another origin is placed by its code. */
export function fromServiceError(error: ServiceError, peer: string): SpinError {
  const { errorInfo, badRequest, retryInfo } = unpackDetails(error);
  const ours = errorInfo?.domain === ERROR_DOMAIN ? errorInfo : undefined;
  const kind = ours
    ? kindOf(ours.reason)
    : (TABLE.find((row) => row.code === error.code)?.kind ?? OTHER_CODES[error.code]);
  const remedy = ours?.metadata.remedy;
  const details: ErrorDetails = {
    field: ours?.metadata.field ?? badRequest?.fieldViolations[0]?.field,
    file: ours?.metadata.file,
    tensor: ours?.metadata.tensor,
    remedy,
    retryAfterSeconds: retryInfo?.retryDelay && fromDuration(retryInfo.retryDelay),
    cause: error,
  };
  if (ours) return new SpinError(kind ?? "internal", withoutSuffix(error.details, remedy), details);
  return new SpinError(kind ?? "internal", `${peer}: ${status[error.code] ?? error.code}: ${error.details}`, details);
}

/** Any thrown thing as a SpinError; a foreign error becomes `internal` with the original as its cause. */
export function asSpinError(error: unknown): SpinError {
  if (error instanceof SpinError) return error;
  return new SpinError("internal", error instanceof Error ? error.message : String(error), { cause: error });
}

function shorten(text: string): string {
  const bytes = Buffer.from(text);
  if (bytes.length <= MAX_TEXT_BYTES) return text;
  return `${bytes
    .subarray(0, MAX_TEXT_BYTES - 3)
    .toString()
    .replace(/\uFFFD$/, "")}…`; // The cut may split a character.
}

/** SpinError's constructor appends the remedy to the message; the message that was sent has it already. */
function withoutSuffix(message: string, remedy: string | undefined): string {
  return remedy !== undefined && message.endsWith(`; ${remedy}`) ? message.slice(0, -remedy.length - 2) : message;
}

function toDuration(seconds: number): { seconds: bigint; nanos: number } {
  const whole = Math.floor(seconds);
  return { seconds: BigInt(whole), nanos: Math.round((seconds - whole) * 1e9) % 1_000_000_000 };
}

function fromDuration(duration: { seconds: bigint; nanos: number }): number {
  return Number(duration.seconds) + duration.nanos / 1e9;
}

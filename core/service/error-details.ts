import { Metadata, type ServiceError } from "@grpc/grpc-js";
import { BadRequest, ErrorInfo, RetryInfo } from "../../proto/gen/google/rpc/error_details.js";
import { Status } from "../../proto/gen/google/rpc/status.js";

/** Name of the trailer that carries a serialised google.rpc.Status. */
const TRAILER = "grpc-status-details-bin";
const TYPE_PREFIX = "type.googleapis.com/google.rpc.";

/** The typed details that this project sends with an error. */
export interface TypedDetails {
  readonly errorInfo?: ErrorInfo;
  readonly badRequest?: BadRequest;
  readonly retryInfo?: RetryInfo;
}

/** Packs a status with typed details into the trailer that gRPC libraries look for. */
export function packDetails(code: number, message: string, typed: TypedDetails): Metadata {
  const details: Status["details"] = [];
  const add = (name: string, value: Uint8Array) =>
    details.push({ typeUrl: TYPE_PREFIX + name, value: Buffer.from(value) });
  if (typed.errorInfo) add("ErrorInfo", ErrorInfo.encode(typed.errorInfo).finish());
  if (typed.badRequest) add("BadRequest", BadRequest.encode(typed.badRequest).finish());
  if (typed.retryInfo) add("RetryInfo", RetryInfo.encode(typed.retryInfo).finish());
  const metadata = new Metadata();
  metadata.set(TRAILER, Buffer.from(Status.encode({ code, message, details }).finish()));
  return metadata;
}

/** Reads the typed details of a failed call; nothing where there are none or they cannot be read. */
export function unpackDetails(error: Pick<ServiceError, "metadata">): TypedDetails {
  const [bytes] = error.metadata?.get(TRAILER) ?? [];
  if (!(bytes instanceof Uint8Array)) return {};
  try {
    const find = (name: string) =>
      Status.decode(bytes).details.find((detail) => detail.typeUrl === TYPE_PREFIX + name)?.value;
    const [errorInfo, badRequest, retryInfo] = [find("ErrorInfo"), find("BadRequest"), find("RetryInfo")];
    return {
      errorInfo: errorInfo && ErrorInfo.decode(errorInfo),
      badRequest: badRequest && BadRequest.decode(badRequest),
      retryInfo: retryInfo && RetryInfo.decode(retryInfo),
    };
  } catch {
    return {}; // Another program's trailer: the code and the message must do.
  }
}

import { Metadata, type ServiceError, status } from "@grpc/grpc-js";
import { type ErrorKind, SpinError } from "../errors.js";
import { unpackDetails } from "./error-details.js";
import { fromServiceError, kindOf, reasonOf, toGrpcFailure } from "./error-table.js";

const KINDS: Readonly<Record<ErrorKind, status>> = {
  invalid: status.INVALID_ARGUMENT,
  notFound: status.NOT_FOUND,
  alreadyExists: status.ALREADY_EXISTS,
  precondition: status.FAILED_PRECONDITION,
  exhausted: status.RESOURCE_EXHAUSTED,
  cancelled: status.CANCELLED,
  corrupt: status.DATA_LOSS,
  unauthenticated: status.UNAUTHENTICATED,
  forbidden: status.PERMISSION_DENIED,
  unavailable: status.UNAVAILABLE,
  diverged: status.FAILED_PRECONDITION,
  internal: status.INTERNAL,
};
const received = (failure: { code: status; details: string; metadata: Metadata }): ServiceError =>
  Object.assign(new Error(failure.details), {
    code: failure.code,
    details: failure.details,
    metadata: failure.metadata,
  });

describe("the error table", () => {
  it.each(Object.entries(KINDS) as [ErrorKind, status][])("sends %s as code %i and reads it back", (kind, code) => {
    const failure = toGrpcFailure(new SpinError(kind, "what is wrong"));
    expect(failure.code).toBe(code);
    expect(fromServiceError(received(failure), "peer:1")).toMatchObject({ kind, message: "what is wrong" });
    expect(kindOf(reasonOf(kind))).toBe(kind);
  });

  it("carries google.rpc details that any gRPC client understands", () => {
    const error = new SpinError("invalid", "num_steps is 0", { field: "spec.num_steps", retryAfterSeconds: 1.25 });
    const { errorInfo, badRequest, retryInfo } = unpackDetails(toGrpcFailure(error));
    expect(errorInfo).toMatchObject({ reason: "INVALID", domain: "spin-diffusion" });
    expect(badRequest?.fieldViolations).toEqual([{ field: "spec.num_steps", description: "num_steps is 0" }]);
    expect(retryInfo?.retryDelay).toEqual({ seconds: 1n, nanos: 250_000_000 });
  });

  it("sends a deadline that passed as DEADLINE_EXCEEDED", () => {
    const error = new SpinError("cancelled", "late", {
      cause: AbortSignal.abort(new DOMException("late", "TimeoutError")).reason,
    });
    expect(toGrpcFailure(error).code).toBe(status.DEADLINE_EXCEEDED);
  });

  it("places the error of another program by its code, and says where it came from", () => {
    const error = fromServiceError(
      received({ code: status.UNAVAILABLE, details: "connection refused", metadata: new Metadata() }),
      "trainer:1",
    );
    expect(error).toMatchObject({ kind: "unavailable", message: "trainer:1: UNAVAILABLE: connection refused" });
    const odd = fromServiceError(
      received({ code: status.UNKNOWN, details: "?", metadata: new Metadata() }),
      "trainer:1",
    );
    expect(odd.kind).toBe("internal");
  });

  it("survives a trailer that is not what its name says", () => {
    const metadata = new Metadata();
    metadata.set("grpc-status-details-bin", Buffer.from([0xff, 0xff, 0xff]));
    expect(fromServiceError(received({ code: status.NOT_FOUND, details: "gone", metadata }), "a:1").kind).toBe(
      "notFound",
    );
  });

  it("keeps trailers small: long texts are cut, between characters", () => {
    const long = `x${"€".repeat(10_000)}`;
    const { details, metadata } = toGrpcFailure(
      new SpinError("invalid", long, { field: long, file: long, remedy: long }),
    );
    expect(details).toMatch(/^x€+…$/);
    const trailer = metadata.get("grpc-status-details-bin")[0] as Buffer;
    expect(encodeURI(details).length + trailer.toString("base64").length).toBeLessThan(8192);
  });
});

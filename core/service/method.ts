/** A method as ts-proto's grpc-js output defines it; `requestStream` is always false in `spin.v1`. */
export interface Method<Request, Response> {
  /** As `/spin.v1.TrainerService/GetRun`. */
  readonly path: string;
  readonly requestStream: boolean;
  readonly responseStream: boolean;
  readonly requestSerialize: (value: Request) => Buffer;
  readonly requestDeserialize: (bytes: Buffer) => Request;
  readonly responseSerialize: (value: Response) => Buffer;
  readonly responseDeserialize: (bytes: Buffer) => Response;
}

/** One answer per call. */
export interface UnaryMethod<Request, Response> extends Method<Request, Response> {
  readonly responseStream: false;
}

/** A stream of answers per call. */
export interface StreamMethod<Request, Response> extends Method<Request, Response> {
  readonly responseStream: true;
}

/** Splits `/spin.v1.TrainerService/GetRun` into service and method. */
export function splitPath(path: string): { service: string; method: string } {
  const [, service = "", method = ""] = path.split("/");
  return { service, method };
}

import type {
  ServerErrorResponse,
  ServerUnaryCall,
  ServerWritableStream,
  ServiceDefinition,
  UntypedServiceImplementation,
} from "@grpc/grpc-js";
import { SpinError } from "../errors.js";
import { abortable, Deadline } from "./deadline.js";
import { principalOf } from "./doors/guard.js";
import type { Principal } from "./doors/tokens.js";
import { toGrpcFailure } from "./error-table.js";
import type { Logger } from "./logging.js";
import { type Method, type StreamMethod, splitPath, type UnaryMethod } from "./method.js";
import { RpcSpan } from "./rpc-telemetry.js";

/** What a handler knows of its call. */
export interface CallContext {
  /**
   * Aborted when the caller cancels, a deadline passes or the server stops. Pass it on to everything that takes long.
   */
  readonly signal: AbortSignal;
  /** Names the method and the caller. */
  readonly log: Logger;
  /** Who calls. */
  readonly caller: Principal;
}

type Handler<M> =
  M extends StreamMethod<infer Request, infer Response>
    ? (request: Request, context: CallContext) => AsyncIterable<Response>
    : M extends UnaryMethod<infer Request, infer Response>
      ? (request: Request, context: CallContext) => Promise<Response>
      : never;

/** A function per method: a promise for one answer, an async generator for a stream. */
export type Handlers<Definition> = { readonly [Name in keyof Definition]: Handler<Definition[Name]> };

type AnyHandler = (request: unknown, context: CallContext) => Promise<unknown> | AsyncIterable<unknown>;

/** A service definition with its handlers. */
export interface BoundService {
  /** Full name, as `spin.v1.TrainerService`. */
  readonly name: string;
  readonly methods: readonly {
    readonly name: string;
    readonly method: Method<unknown, unknown>;
    readonly handler: AnyHandler;
  }[];
}

/**
 * Binds handlers to a generated service definition, as `defineService(TrainerServiceService, { getRun: async (request,
 * context) => … })`.
 */
export function defineService<Definition extends object>(
  definition: Definition,
  handlers: Handlers<Definition>,
): BoundService {
  const methods = Object.entries(definition as Record<string, Method<unknown, unknown>>).map(([name, method]) => ({
    name,
    method,
    handler: (handlers as Readonly<Record<string, AnyHandler>>)[name]!.bind(handlers),
  }));
  return { name: splitPath(methods[0]?.method.path ?? "").service, methods };
}

/** What all calls of a server share. */
export interface CallEnvironment {
  readonly log: Logger;
  /** Largest response message, in bytes. */
  readonly responseLimit: number;
  /** Time that a unary call may take, in milliseconds. */
  readonly unaryTimeoutMs: number;
  /** Time that a stream may be open, in milliseconds. */
  readonly streamTimeoutMs: number;
  /** Time that a caller may leave a message of a stream unread, in milliseconds. */
  readonly stallTimeoutMs: number;
  /** Calls at work; a stopping server aborts them. */
  readonly calls: Set<Deadline>;
}

/** A bound service as grpc-js takes it. Messages cross as bytes: encoding and its errors stay in our hands. */
export function toGrpcService(
  service: BoundService,
  environment: CallEnvironment,
): [ServiceDefinition, UntypedServiceImplementation] {
  const definition: Record<string, ServiceDefinition[string]> = {};
  const implementation: UntypedServiceImplementation = {};
  for (const { name, method, handler } of service.methods) {
    definition[name] = {
      ...method,
      requestSerialize: asIs,
      requestDeserialize: asIs,
      responseSerialize: asIs,
      responseDeserialize: asIs,
    };
    implementation[name] = method.responseStream
      ? (call: ServerWritableStream<Buffer, Buffer>) => void serveStream(call, method, handler, environment)
      : (call: ServerUnaryCall<Buffer, Buffer>, callback: UnaryCallback) =>
          void serveUnary(call, callback, method, handler, environment);
  }
  return [definition, implementation];
}

type UnaryCallback = (error: Partial<ServerErrorResponse> | null, response?: Buffer) => void;
type ServerCall = ServerUnaryCall<Buffer, Buffer> | ServerWritableStream<Buffer, Buffer>;

async function serveUnary(
  call: ServerUnaryCall<Buffer, Buffer>,
  callback: UnaryCallback,
  method: Method<unknown, unknown>,
  handler: AnyHandler,
  environment: CallEnvironment,
): Promise<void> {
  try {
    const bytes = await serve(call, method, environment, environment.unaryTimeoutMs, async (request, context) => {
      const response = await abortable(handler(request, context) as Promise<unknown>, context.signal);
      return encode(method, response, environment.responseLimit);
    });
    callback(null, bytes);
  } catch (error) {
    callback(toGrpcFailure(error));
  }
}

async function serveStream(
  call: ServerWritableStream<Buffer, Buffer>,
  method: Method<unknown, unknown>,
  handler: AnyHandler,
  environment: CallEnvironment,
): Promise<void> {
  try {
    await serve(call, method, environment, environment.streamTimeoutMs, async (request, context) => {
      // The next message is computed while this one is sent, and no further: write() alone would take 16 of any size.
      let sent = Promise.resolve();
      for await (const response of untilAborted(handler(request, context) as AsyncIterable<unknown>, context.signal)) {
        await taken(sent, context.signal, environment.stallTimeoutMs);
        sent = write(call, encode(method, response, environment.responseLimit));
        sent.catch(() => undefined); // Looked at above, a message later.
      }
      await taken(sent, context.signal, environment.stallTimeoutMs);
    });
    call.end();
  } catch (error) {
    call.emit("error", toGrpcFailure(error));
  }
}

/** What both forms share: deadline, cancellation, span, log, and a request that is read before anything else. */
async function serve<T>(
  call: ServerCall,
  method: Method<unknown, unknown>,
  environment: CallEnvironment,
  timeoutMs: number,
  work: (request: unknown, context: CallContext) => Promise<T>,
): Promise<T> {
  const deadline = new Deadline(timeoutMs);
  environment.calls.add(deadline);
  // grpc-js itself watches the caller's own deadline and reports it as a cancellation.
  call.on("cancelled", () => deadline.abort());
  if (call.cancelled) deadline.abort();
  const caller = principalOf(call.metadata);
  const log = environment.log.child({ method: method.path, caller: caller.name });
  try {
    return await RpcSpan.server(method.path, call.metadata).around(async () => {
      try {
        return await work(decode(method, call.request), { signal: deadline.signal, log, caller });
      } catch (error) {
        logFailure(log, error);
        throw error;
      }
    });
  } finally {
    environment.calls.delete(deadline);
    deadline.dispose();
  }
}

/** Callers' mistakes are theirs to log; ours are errors. */
function logFailure(log: Logger, error: unknown): void {
  const kind = error instanceof SpinError ? error.kind : "internal";
  if (kind === "internal" || kind === "corrupt") log.error({ err: error }, "call failed");
  else log.info({ err: error }, "call refused");
}

function decode(method: Method<unknown, unknown>, bytes: Buffer): unknown {
  try {
    return method.requestDeserialize(bytes);
  } catch (cause) {
    throw new SpinError("invalid", `the request of ${method.path} is not a valid message`, { cause });
  }
}

function encode(method: Method<unknown, unknown>, response: unknown, limit: number): Buffer {
  const bytes = method.responseSerialize(response);
  if (bytes.length <= limit) return bytes;
  throw new SpinError("exhausted", `a response of ${method.path} has ${bytes.length} bytes, the limit is ${limit}`, {
    remedy: "ask for a smaller batch",
  });
}

/**
 * The iterable's values until the signal is aborted, even while the producer waits for something and does not look at
 * the signal.
 */
async function* untilAborted<T>(values: AsyncIterable<T>, signal: AbortSignal): AsyncGenerator<T> {
  const iterator = values[Symbol.asyncIterator]();
  let exhausted = false;
  try {
    for (;;) {
      const next = await abortable(iterator.next(), signal);
      if (next.done) {
        exhausted = true;
        return;
      }
      yield next.value;
    }
  } finally {
    // Runs the producer's `finally` at its next yield. Not awaited: it may be a while until then.
    if (!exhausted) iterator.return?.().catch(() => undefined);
  }
}

/** Resolves when the message has left for the network, which waits for the receiver's flow control. */
function write(call: ServerWritableStream<Buffer, Buffer>, bytes: Buffer): Promise<void> {
  return new Promise((resolve, reject) => {
    call.write(bytes, (error?: Error | null) => (error ? reject(error) : resolve()));
  });
}

/** Waits until a message has left, as `write` tells. @throws SpinError `cancelled` where its caller reads nothing for too long: it holds what others wait for */
async function taken(sent: Promise<void>, signal: AbortSignal, stallMs: number): Promise<void> {
  const patience = new Deadline(Number.POSITIVE_INFINITY, signal);
  const giveUp = () =>
    patience.abort(
      new SpinError("cancelled", `the caller has read nothing for ${stallMs / 1000} s`, { remedy: "call again" }),
    );
  const timer = setTimeout(giveUp, stallMs);
  try {
    await abortable(sent, patience.signal);
  } finally {
    clearTimeout(timer);
    patience.dispose();
  }
}

function asIs(bytes: Buffer): Buffer {
  return bytes;
}

import { type CallOptions, type ChannelCredentials, Client, Metadata, type ServiceError } from "@grpc/grpc-js";
import { SpinError } from "../errors.js";
import { abortError, DEFAULT_STREAM_TIMEOUT_MS, DEFAULT_UNARY_TIMEOUT_MS, throwIfAborted } from "./deadline.js";
import { Caller } from "./doors/caller.js";
import { explainConnection } from "./doors/explain-connection.js";
import { fromServiceError } from "./error-table.js";
import { REQUEST_LIMIT_BYTES, RESPONSE_LIMIT_BYTES } from "./limits.js";
import type { Method, StreamMethod, UnaryMethod } from "./method.js";
import { RpcSpan } from "./rpc-telemetry.js";

/**
 * What a peer may send before it is told that some of it has been read. Between two processes on one machine a message of 4 MB takes half as
 * long as with HTTP/2's own 64 KiB, where it waits for 60 such answers; more than this gained nothing.
 */
const RECEIVE_WINDOW_BYTES = 2 ** 20;

/** How the other side is known, and who calls. */
export interface ChannelOptions extends ChannelLimits {
  /** Default: no TLS, no token. */
  readonly caller?: Caller;
  /** Host that the address stands for, which the certificate must name. Default: the address's own. */
  readonly serverName?: string;
}

export interface ChannelLimits {
  /** Largest request to send, in bytes. Default: REQUEST_LIMIT_BYTES. */
  readonly requestLimit?: number;
  /** Largest response to take, in bytes. Default: RESPONSE_LIMIT_BYTES. */
  readonly responseLimit?: number;
}

export interface RpcOptions {
  /** Time that the call may take. Default: DEFAULT_UNARY_TIMEOUT_MS for a single answer, DEFAULT_STREAM_TIMEOUT_MS for a stream. */
  readonly timeoutMs?: number;
  /** Cancels the call. */
  readonly signal?: AbortSignal;
}

/** A connection to one address, for any of the services there. It connects by itself, and again after a loss. */
export class RpcChannel {
  /** As `127.0.0.1:50051` or `trainer:50051`. */
  readonly address: string;
  readonly #caller: Caller;
  readonly #serverName: string | undefined;
  readonly #options: Readonly<Record<string, string | number>>;
  #client: { readonly credentials: ChannelCredentials; readonly client: Client } | undefined;
  readonly #closed = new AbortController();

  constructor(address: string, { caller = Caller.anonymous(), serverName, ...limits }: ChannelOptions = {}) {
    this.address = address;
    this.#caller = caller;
    this.#serverName = serverName;
    const expected = caller.name ?? serverName;
    this.#options = {
      ...(caller.isSecure && expected !== undefined && { "grpc.ssl_target_name_override": expected }),
      "grpc.max_send_message_length": limits.requestLimit ?? REQUEST_LIMIT_BYTES,
      "grpc.max_receive_message_length": limits.responseLimit ?? RESPONSE_LIMIT_BYTES,
      "grpc.keepalive_time_ms": 30_000,
      "grpc.keepalive_timeout_ms": 20_000,
      "grpc.initial_reconnect_backoff_ms": 200,
      "grpc.max_reconnect_backoff_ms": 5_000,
      "grpc.use_local_subchannel_pool": 1, // A channel of its own, even where another has the same address.
      "grpc-node.flow_control_window": RECEIVE_WINDOW_BYTES,
      "grpc.enable_http_proxy": 0, // A proxy from the environment is for the world outside.
    };
  }

  /** The connection, and the metadata that a call begins with. Renewed certificates get a connection of their own; calls at work keep theirs. */
  async #open(): Promise<{ client: Client; metadata: Metadata }> {
    const { channel, token } = await this.#caller.credentials(this.address);
    if (this.#closed.signal.aborted) throw new SpinError("cancelled", `the connection to ${this.address} is closed`);
    const metadata = new Metadata();
    if (token !== undefined) metadata.set("authorization", `Bearer ${token}`);
    if (this.#client?.credentials !== channel) {
      this.#client?.client.close();
      this.#client = { credentials: channel, client: new Client(this.address, channel, this.#options) };
    }
    return { client: this.#client.client, metadata };
  }

  /**
   * Calls a method with one answer, as `channel.call(TrainerServiceService.getRun, { runId })`.
   *
   * @throws SpinError of the service's kind; `unavailable` where nothing answers; `cancelled` when `signal` or the time
   * limit ends it.
   */
  async call<Request, Response>(
    method: UnaryMethod<Request, Response>,
    request: Request,
    options: RpcOptions = {},
  ): Promise<Response> {
    throwIfAborted(options.signal);
    const { client, metadata } = await this.#open();
    throwIfAborted(options.signal);
    const span = RpcSpan.client(method.path, this.address, metadata);
    return span.around(async () => {
      try {
        return await this.#unary(client, method, request, metadata, options);
      } catch (error) {
        throw await this.#explained(error);
      }
    });
  }

  #unary<Request, Response>(
    client: Client,
    method: Method<Request, Response>,
    request: Request,
    metadata: Metadata,
    options: RpcOptions,
  ): Promise<Response> {
    const { signal, timeoutMs = DEFAULT_UNARY_TIMEOUT_MS } = options;
    return new Promise((resolve, reject) => {
      const done = (error: ServiceError | null, response?: Response) => {
        signal?.removeEventListener("abort", onAbort);
        if (error === null) resolve(response!);
        else reject(this.#errorOf(error, signal));
      };
      const { path, requestSerialize, responseDeserialize } = method;
      const call = client.makeUnaryRequest(
        path,
        requestSerialize,
        responseDeserialize,
        request,
        metadata,
        deadline(timeoutMs),
        done,
      );
      const onAbort = () => call.cancel();
      signal?.addEventListener("abort", onAbort, { once: true });
    });
  }

  /**
   * Calls a method with a stream of answers and yields them. Leaving the loop cancels the call. Up to 16 messages may
   * wait on this side, besides those that the loop has taken, so ask for no more than may lie in memory.
   *
   * @throws SpinError as `call` does, from the loop.
   */
  async *stream<Request, Response>(
    method: StreamMethod<Request, Response>,
    request: Request,
    options: RpcOptions = {},
  ): AsyncGenerator<Response, void, undefined> {
    throwIfAborted(options.signal);
    const { signal, timeoutMs = DEFAULT_STREAM_TIMEOUT_MS } = options;
    const { path, requestSerialize, responseDeserialize } = method;
    const { client, metadata } = await this.#open();
    throwIfAborted(signal);
    const span = RpcSpan.client(path, this.address, metadata);
    const call = client.makeServerStreamRequest(
      path,
      requestSerialize,
      responseDeserialize,
      request,
      metadata,
      deadline(timeoutMs),
    );
    call.on("error", () => undefined); // After a cancellation nobody iterates, and the error would end the process.
    const onAbort = () => call.cancel();
    signal?.addEventListener("abort", onAbort, { once: true });
    try {
      yield* call as AsyncIterable<Response>;
    } catch (error) {
      const known = await this.#explained(this.#errorOf(error as ServiceError, signal));
      span.fail(known);
      throw known;
    } finally {
      signal?.removeEventListener("abort", onAbort);
      call.cancel();
      span.end();
    }
  }

  /** Waits until the address answers. @throws SpinError `unavailable` after `timeoutMs`. */
  async waitForReady(timeoutMs: number): Promise<void> {
    const { client } = await this.#open();
    const ready = new Promise<void>((resolve, reject) => {
      client.waitForReady(Date.now() + timeoutMs, (error) => {
        if (error === undefined) return resolve();
        const remedy = "check that the service runs and that the address is right";
        reject(
          new SpinError("unavailable", `nothing answers at ${this.address} within ${timeoutMs / 1000} s`, {
            remedy,
            cause: error,
          }),
        );
      });
    });
    await ready.catch(async (error: unknown) => {
      throw await this.#explained(error);
    });
  }

  /** Ends the connection. Calls at work end by themselves; new ones fail. */
  close(): void {
    this.#closed.abort();
    this.#client?.client.close();
  }

  /** Where no connection came about, what is wrong with TLS, if that is it. */
  async #explained(error: unknown): Promise<unknown> {
    const isOurs =
      error instanceof SpinError && error.kind === "unavailable" && error.details.retryAfterSeconds === undefined;
    if (!isOurs || this.#closed.signal.aborted) return error;
    const reason = await explainConnection(this.address, this.#caller, this.#serverName);
    return reason === undefined ? error : new SpinError("unavailable", reason, { cause: error });
  }

  #errorOf(error: ServiceError, signal: AbortSignal | undefined): SpinError {
    return signal?.aborted ? abortError(signal) : fromServiceError(error, this.address);
  }
}

function deadline(timeoutMs: number): CallOptions {
  return Number.isFinite(timeoutMs) ? { deadline: Date.now() + timeoutMs } : {};
}

import { Server, ServerCredentials, setLogger } from "@grpc/grpc-js";
import { HealthImplementation } from "grpc-health-check";
import { SpinError } from "../errors.js";
import { readConfig } from "./config.js";
import {
  DEFAULT_STALL_TIMEOUT_MS,
  DEFAULT_STREAM_TIMEOUT_MS,
  DEFAULT_UNARY_TIMEOUT_MS,
  type Deadline,
  sleep,
} from "./deadline.js";
import { openDoors } from "./doors/open-doors.js";
import { DOOR_SETTINGS, type DoorConfig } from "./doors/settings.js";
import { type BoundService, toGrpcService } from "./handlers.js";
import { REQUEST_LIMIT_BYTES, RESPONSE_LIMIT_BYTES } from "./limits.js";
import type { Logger } from "./logging.js";
import { addReflection } from "./reflection.js";

/** Time that calls are given to end by themselves after `stop`, in milliseconds. */
const DEFAULT_DRAIN_MS = 5_000;
/** Time for the answers of aborted calls to reach their callers before connections are cut, in milliseconds. */
const FAREWELL_MS = 500;

export interface ServerOptions {
  /** Address to listen on, as `127.0.0.1` or `0.0.0.0`. */
  readonly host: string;
  /** 0: any free port. */
  readonly port: number;
  readonly services: readonly BoundService[];
  readonly log: Logger;
  /** Default: REQUEST_LIMIT_BYTES. */
  readonly requestLimit?: number;
  /** Default: RESPONSE_LIMIT_BYTES. */
  readonly responseLimit?: number;
  /** Default: DEFAULT_UNARY_TIMEOUT_MS. */
  readonly unaryTimeoutMs?: number;
  /** Time that a stream may be open. Default: DEFAULT_STREAM_TIMEOUT_MS. */
  readonly streamTimeoutMs?: number;
  /** Time that a caller may leave a message of a stream unread. Default: DEFAULT_STALL_TIMEOUT_MS. */
  readonly stallTimeoutMs?: number;
  /** Who gets in. Default: everybody, which is refused beyond loopback. */
  readonly doors?: DoorConfig;
  /** Time until a call's request must be there, in milliseconds. Default: DEFAULT_REQUEST_TIMEOUT_MS. */
  readonly requestTimeoutMs?: number;
  /** How often the files of certificates and tokens are looked at, in milliseconds. Default: 5000. */
  readonly reloadMs?: number;
}

/** Calls at a time on one connection; a client's further calls wait at the client. */
const CALLS_PER_CONNECTION = 512;
/** Memory of one connection's HTTP/2 session, in MB: some of the largest messages. */
const SESSION_MEMORY_MB = 512;
/** Connections without a call for as long are closed; clients connect again by themselves. */
const IDLE_CONNECTION_MS = 3_600_000;

/** A gRPC server that listens, with health and reflection. Health says NOT_SERVING until `setServing(true)`. */
export class RunningServer {
  readonly port: number;
  readonly #server: Server;
  readonly #health: HealthImplementation;
  readonly #names: readonly string[];
  readonly #calls: ReadonlySet<Deadline>;
  readonly #log: Logger;
  readonly #close: () => void;
  #stopped: Promise<void> | undefined;

  constructor(
    server: Server,
    health: HealthImplementation,
    names: readonly string[],
    calls: ReadonlySet<Deadline>,
    port: number,
    log: Logger,
    close: () => void,
  ) {
    this.#server = server;
    this.#health = health;
    this.#names = names;
    this.#calls = calls;
    this.port = port;
    this.#log = log;
    this.#close = close;
  }

  /** Tells health checks, for every service of this server and for the server as a whole (the empty name). */
  setServing(serving: boolean): void {
    for (const name of this.#names) this.#health.setStatus(name, serving ? "SERVING" : "NOT_SERVING");
  }

  /**
   * Stops: health says NOT_SERVING, no new calls, those at work may end within `drainMs`, then their signals are
   * aborted and their callers hear UNAVAILABLE, then connections are cut. Called again, it waits for the first call's
   * end.
   */
  stop(drainMs: number = DEFAULT_DRAIN_MS): Promise<void> {
    this.#stopped ??= this.#stop(drainMs).finally(this.#close);
    return this.#stopped;
  }

  async #stop(drainMs: number): Promise<void> {
    this.setServing(false);
    const closed = new Promise<true>((resolve) => this.#server.tryShutdown(() => resolve(true)));
    if (await within(closed, drainMs)) return;
    const error = new SpinError("unavailable", "the service is shutting down", {
      remedy: "try again when it is back",
      retryAfterSeconds: 5,
    });
    this.#log.info({ calls: this.#calls.size }, "aborting calls that did not end in time");
    for (const call of this.#calls) call.abort(error);
    if (await within(closed, FAREWELL_MS)) return;
    this.#server.forceShutdown();
  }
}

/**
 * Starts a server on a port of its own.
 *
 * @throws SpinError `precondition` where the address cannot be had, above all where the port is in use.
 */
export async function startServer(options: ServerOptions): Promise<RunningServer> {
  const { host, port, services, log } = options;
  const responseLimit = options.responseLimit ?? RESPONSE_LIMIT_BYTES;
  const calls = new Set<Deadline>();
  // Whatever matters comes as an error too; on the console it would be told twice, and not as JSON.
  const note = (...parts: unknown[]) => log.debug(withoutTokens(parts.map(String).join(" ")));
  setLogger({ error: note, info: note, debug: note });
  const doors = await openDoors(host, options.doors ?? readConfig(DOOR_SETTINGS, {}, {}), log, {
    reloadMs: options.reloadMs,
    requestTimeoutMs: options.requestTimeoutMs,
  });
  const server = new Server({
    interceptors: [doors.guard],
    "grpc.max_concurrent_streams": CALLS_PER_CONNECTION,
    "grpc.max_connection_idle_ms": IDLE_CONNECTION_MS,
    "grpc-node.max_session_memory": SESSION_MEMORY_MB,
    "grpc.max_receive_message_length": options.requestLimit ?? REQUEST_LIMIT_BYTES,
    "grpc.max_send_message_length": responseLimit,
    "grpc.keepalive_time_ms": 30_000,
    "grpc.keepalive_timeout_ms": 20_000,
  });
  const environment = {
    log,
    responseLimit,
    unaryTimeoutMs: options.unaryTimeoutMs ?? DEFAULT_UNARY_TIMEOUT_MS,
    streamTimeoutMs: options.streamTimeoutMs ?? DEFAULT_STREAM_TIMEOUT_MS,
    stallTimeoutMs: options.stallTimeoutMs ?? DEFAULT_STALL_TIMEOUT_MS,
    calls,
  };
  for (const service of services) server.addService(...toGrpcService(service, environment));
  const names = services.map((service) => service.name);
  const health = new HealthImplementation();
  health.addToServer(server);
  addReflection(server, names);
  const probes = new Server();
  health.addToServer(probes);
  let bound: number;
  try {
    bound = await bind(server, host, port, doors.credentials);
    if (doors.healthPort !== undefined) await bind(probes, host, doors.healthPort, ServerCredentials.createInsecure());
  } catch (error) {
    doors.close();
    server.forceShutdown();
    probes.forceShutdown();
    throw error;
  }
  const close = () => {
    doors.close();
    probes.forceShutdown();
  };
  const running = new RunningServer(server, health, ["", ...names], calls, bound, log, close);
  running.setServing(false);
  return running;
}

function bind(server: Server, host: string, port: number, credentials: ServerCredentials): Promise<number> {
  const address = `${host.includes(":") ? `[${host}]` : host}:${port}`;
  return new Promise((resolve, reject) => {
    server.bindAsync(address, credentials, (error, bound) => {
      if (error === null) return resolve(bound);
      const inUse = error.message.includes("EADDRINUSE");
      const message = inUse ? `port ${port} of ${host} is in use` : `cannot listen on ${address}: ${error.message}`;
      const remedy = inUse
        ? "end the process that listens there or choose another port"
        : "choose another address or port";
      reject(new SpinError("precondition", message, { remedy, field: "port", cause: error }));
    });
  });
}

/** Whether the promise resolves in time. */
async function within(promise: Promise<true>, ms: number): Promise<boolean> {
  const timer = new AbortController();
  const done = await Promise.race([promise, sleep(ms, timer.signal).then(() => false)]);
  timer.abort();
  return done;
}

/** grpc-js traces headers where GRPC_TRACE asks for it. */
function withoutTokens(text: string): string {
  return text.replace(/Bearer [^\s"',\]]+/gi, "Bearer …");
}

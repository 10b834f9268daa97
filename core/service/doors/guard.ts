import { type Metadata, ServerInterceptingCall, type ServerInterceptor } from "@grpc/grpc-js";
import { SpinError } from "../../errors.js";
import { DEFAULT_REQUEST_TIMEOUT_MS } from "../deadline.js";
import { asSpinError, reasonOf, toGrpcFailure } from "../error-table.js";
import type { Logger } from "../logging.js";
import { count, watch } from "../metrics.js";
import { ACCESS, allows } from "./roles.js";
import type { Principal, Tokens } from "./tokens.js";

/** Where nobody needs a token: on loopback, or where `--insecure` was said. */
const ANYBODY: Principal = { name: "anybody", role: "admin" };

/** Methods whose callers send messages as they like; of all others the request is whole once the caller's side is closed. */
const BOTH_WAYS = /^\/grpc\.reflection\./;

const principals = new WeakMap<Metadata, Principal>();

/** Who makes a call, once the guard has let it in. */
export function principalOf(metadata: Metadata): Principal {
  return principals.get(metadata) ?? ANYBODY;
}

export interface GuardOptions {
  /** Undefined: whoever reaches the server may do everything. */
  readonly tokens?: () => Tokens;
  /** Most calls at a time, health checks apart. */
  readonly maxCalls: number;
  /** Time until a call's request must be there, in milliseconds. Default: DEFAULT_REQUEST_TIMEOUT_MS. */
  readonly requestTimeoutMs?: number;
  readonly log: Logger;
}

/** What stands before a server's methods. */
export interface Guard {
  readonly interceptor: ServerInterceptor;
  /** Ends its being measured. */
  stop(): void;
}

/**
 * Stands before every method of a server, health and reflection included: who calls, whether they may, and whether there is room. A call that is
 * refused costs neither its message's decoding nor a handler.
 */
export function createGuard({
  tokens,
  maxCalls,
  requestTimeoutMs = DEFAULT_REQUEST_TIMEOUT_MS,
  log,
}: GuardOptions): Guard {
  let calls = 0;
  const stop = watch("spin.service.calls", () => [{ value: calls }]);
  const interceptor: ServerInterceptor = ({ path }, call) => {
    const leave = () => {
      if (isIn) calls -= 1;
      isIn = false;
      clearTimeout(opening);
    };
    let isIn = false;
    let opening: NodeJS.Timeout | undefined;
    const admit = (metadata: Metadata): void => {
      const access = ACCESS.get(path);
      if (access === undefined) throw new SpinError("forbidden", `${path} is open to nobody`);
      const headers = metadata.get("authorization").map(String);
      metadata.remove("authorization"); // Nothing behind the guard, log or trace, can tell it.
      if (access === "public") return;
      if (tokens !== undefined) {
        const principal = tokens().check(headers);
        if (!allows(principal.role, access)) {
          throw new SpinError(
            "forbidden",
            `${path} needs the role ${access}, "${principal.name}" has ${principal.role}`,
            {
              remedy: "use another token, or have one made with that role",
            },
          );
        }
        principals.set(metadata, principal);
      }
      if (calls >= maxCalls) {
        const remedy = "try again later, or raise MAX_CALLS";
        throw new SpinError("exhausted", `${calls} calls are being served`, { remedy, retryAfterSeconds: 1 });
      }
      calls += 1;
      isIn = true;
    };
    const guarded: ServerInterceptingCall = new ServerInterceptingCall(call, {
      start: (next) =>
        next({
          onReceiveMetadata: (metadata, pass) => {
            try {
              admit(metadata);
            } catch (error) {
              refuse(log, path, call.getPeer(), error);
              guarded.sendStatus(toGrpcFailure(error));
              return;
            }
            opening = setTimeout(
              () => guarded.sendStatus(toGrpcFailure(lateRequest(path, requestTimeoutMs))),
              requestTimeoutMs,
            );
            pass(metadata);
          },
          onReceiveMessage: (message, pass) => {
            if (BOTH_WAYS.test(path)) clearTimeout(opening); // It goes on asking.
            pass(message);
          },
          onReceiveHalfClose: (pass) => {
            clearTimeout(opening);
            pass();
          },
          onCancel: leave,
        }),
      sendStatus: (status, next) => {
        leave();
        next(status);
      },
    });
    return guarded;
  };
  return { interceptor, stop };
}

/** Behind the guard a call has a deadline; before it, one that never says what it wants would hold a place. */
function lateRequest(path: string, ms: number): SpinError {
  const cause = new DOMException(`no request within ${ms / 1000} s`, "TimeoutError");
  return new SpinError("cancelled", `${path}: no request came within ${ms / 1000} s`, { remedy: "call again", cause });
}

function refuse(log: Logger, method: string, peer: string, error: unknown): void {
  log.info({ err: error, method, peer }, "call refused at the door");
  count("spin.service.refusals", 1, { reason: reasonOf(asSpinError(error).kind) });
}

import { type Metadata, status } from "@grpc/grpc-js";
import {
  type Attributes,
  type Context,
  context,
  metrics,
  propagation,
  type Span,
  SpanKind,
  type TextMapGetter,
  type TextMapSetter,
  trace,
} from "@opentelemetry/api";
import { asSpinError, reasonOf, toGrpcFailure } from "./error-table.js";
import { splitPath } from "./method.js";
import { SECONDS } from "./metrics.js";
import { METER, recordError, startSpan } from "./tracing.js";

const getter: TextMapGetter<Metadata> = {
  keys: (metadata) => Object.keys(metadata.getMap()),
  get: (metadata, key) => metadata.get(key).map(String),
};

const setter: TextMapSetter<Metadata> = {
  set: (metadata, key, value) => metadata.set(key, value),
};

/**
 * The span and the duration of one call, at either end. They are made here, where every call passes, and not by
 * patching grpc-js: a patch needs a loader hook under ES modules, and without the hook no span appears and nothing says
 * so.
 */
export class RpcSpan {
  readonly #span: Span;
  readonly #context: Context;
  readonly #attributes: Attributes;
  readonly #side: string;
  readonly #start = performance.now();
  #outcome = "OK";
  #code: number = status.OK;

  private constructor(side: "client" | "server", path: string, extra: Attributes, parent: Context) {
    const { service, method } = splitPath(path);
    const kind = side === "client" ? SpanKind.CLIENT : SpanKind.SERVER;
    this.#side = side;
    this.#attributes = { "rpc.system": "grpc", "rpc.service": service, "rpc.method": method };
    this.#span = startSpan(path.slice(1), { kind, attributes: { ...this.#attributes, ...extra } }, parent);
    this.#context = trace.setSpan(parent, this.#span);
  }

  /** A call that came in; the caller's span, named in the metadata, is the parent. */
  static server(path: string, metadata: Metadata): RpcSpan {
    return new RpcSpan("server", path, {}, propagation.extract(context.active(), metadata, getter));
  }

  /** A call that goes out; the metadata to send are made to name this span. */
  static client(path: string, address: string, metadata: Metadata): RpcSpan {
    const call = new RpcSpan("client", path, { "server.address": address }, context.active());
    propagation.inject(call.#context, metadata, setter);
    return call;
  }

  /** Runs work inside the span, and ends the span with it. */
  async around<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await context.with(this.#context, work);
    } catch (error) {
      this.fail(error);
      throw error;
    } finally {
      this.end();
    }
  }

  fail(error: unknown): void {
    this.#outcome = reasonOf(asSpinError(error).kind);
    this.#code = toGrpcFailure(error).code;
    recordError(this.#span, error);
  }

  end(): void {
    this.#span.setAttribute("rpc.grpc.status_code", this.#code);
    this.#span.end();
    const duration = metrics.getMeter(METER).createHistogram(`rpc.${this.#side}.duration`, {
      unit: "s",
      advice: { explicitBucketBoundaries: SECONDS },
    });
    duration.record((performance.now() - this.#start) / 1000, {
      ...this.#attributes,
      "rpc.grpc.status_code": this.#code,
      "rpc.outcome": this.#outcome,
    });
  }
}

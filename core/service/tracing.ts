import {
  type Context,
  context,
  isSpanContextValid,
  type Link,
  type Span,
  SpanKind,
  type SpanOptions,
  SpanStatusCode,
  trace,
} from "@opentelemetry/api";

const TRACER = "spin-diffusion";
/** Name of the meter of every measure of this project. */
export const METER = "spin-diffusion";
const TRACEPARENT = /^00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})$/;

/**
 * Runs `work` inside a span that ends with it, and records its error. Links carry what other messages brought along.
 */
export async function withSpan<T>(
  name: string,
  options: SpanOptions,
  work: (span: Span) => Promise<T>,
  parent = context.active(),
): Promise<T> {
  const span = startSpan(name, options, parent);
  try {
    return await context.with(trace.setSpan(parent, span), () => work(span));
  } catch (error) {
    recordError(span, error);
    throw error;
  } finally {
    span.end();
  }
}

/** Starts a span that the caller ends. */
export function startSpan(name: string, options: SpanOptions = {}, parent: Context = context.active()): Span {
  return trace.getTracer(TRACER).startSpan(name, options, parent);
}

/** Marks a span as failed. */
export function recordError(span: Span, error: unknown): void {
  const message = error instanceof Error ? error.message : String(error);
  span.recordException(error instanceof Error ? error : message);
  span.setStatus({ code: SpanStatusCode.ERROR, message });
}

/**
 * Records work that is over, at the times given: a span that is open meanwhile would begin at a whole millisecond.
 *
 * @param startMs Milliseconds since the epoch, as {@link epochMs} gives them.
 */
export function recordSpan(
  name: string,
  startMs: number,
  endMs: number,
  options: Pick<SpanOptions, "attributes" | "links"> = {},
  parent: Context = context.active(),
): void {
  startSpan(name, { ...options, kind: SpanKind.INTERNAL, startTime: startMs }, parent).end(endMs);
}

/** A time of `performance.now()` in milliseconds since the epoch, to fractions of one, alike in all threads and processes of a machine. */
export function epochMs(time = performance.now()): number {
  return performance.timeOrigin + time;
}

/** The active span (or the given one) as W3C `traceparent`, for a message; empty outside any trace. */
export function currentTraceparent(span: Span | undefined = trace.getActiveSpan()): string {
  const spanContext = span?.spanContext();
  if (spanContext === undefined || !isSpanContextValid(spanContext)) return "";
  const flags = spanContext.traceFlags.toString(16).padStart(2, "0");
  return `00-${spanContext.traceId}-${spanContext.spanId}-${flags}`;
}

/** Links to the span that a message names; none for an empty or malformed `traceparent`. */
export function linksTo(traceparent: string): Link[] {
  const match = TRACEPARENT.exec(traceparent);
  if (match === null) return [];
  const spanContext = {
    traceId: match[1]!,
    spanId: match[2]!,
    traceFlags: Number.parseInt(match[3]!, 16),
    isRemote: true,
  };
  return isSpanContextValid(spanContext) ? [{ context: spanContext }] : [];
}

/**
 * A context whose parent is the span that a message names: work done later, outside the call that asked for it, stays
 * in its trace.
 */
export function contextOf(traceparent: string, base: Context = context.active()): Context {
  const [link] = linksTo(traceparent);
  return link === undefined ? base : trace.setSpanContext(base, link.context);
}

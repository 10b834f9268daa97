import { isSpanContextValid, trace } from "@opentelemetry/api";
import { type DestinationStream, type Logger, pino } from "pino";
import { SpinError } from "../errors.js";

export type { Logger } from "pino";

/** Levels by verbosity; `silent` writes nothing. */
export const LOG_LEVELS = ["silent", "error", "warn", "info", "debug"] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/**
 * A logger of JSON lines; each line names the service and, inside a span, its trace. Default: info, to standard output.
 */
export function createLogger(service: string, level: LogLevel = "info", destination?: DestinationStream): Logger {
  const options = {
    level,
    base: { service },
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label: string) => ({ level: label }) },
    mixin: traceIds,
    serializers: { err: describeError },
  };
  return destination === undefined ? pino(options) : pino(options, destination);
}

function traceIds(): Record<string, string> {
  const context = trace.getActiveSpan()?.spanContext();
  return context && isSpanContextValid(context) ? { traceId: context.traceId, spanId: context.spanId } : {};
}

/** A SpinError says what went wrong by itself; only one of our own making, or a foreign error, needs its stack. */
function describeError(error: unknown): Record<string, unknown> {
  if (error instanceof SpinError) {
    const { cause, ...details } = error.details;
    const stack = error.kind === "internal" ? error.stack : undefined;
    return {
      kind: error.kind,
      message: error.message,
      ...details,
      stack,
      cause: cause === undefined ? undefined : String(cause),
    };
  }
  return { ...pino.stdSerializers.err(error instanceof Error ? error : new Error(String(error))) };
}

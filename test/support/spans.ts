import { readFile } from "node:fs/promises";
import { context, metrics, propagation, trace } from "@opentelemetry/api";
import { startTelemetry } from "../../core/service/telemetry.js";

/** A span in OTLP JSON. */
export interface Span {
  readonly name: string;
  readonly kind: number;
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId?: string;
  readonly startTimeUnixNano: string;
  readonly endTimeUnixNano: string;
  readonly links?: { readonly traceId: string; readonly spanId: string }[];
  readonly status: { readonly code?: number; readonly message?: string };
}

/** Runs work with telemetry to a file, and reads the spans back as a collector would. The process is without telemetry afterwards. */
export async function spansOf(file: string, work: () => Promise<unknown>): Promise<Span[]> {
  const telemetry = await startTelemetry("test", { SPIN_TRACE_FILE: file });
  try {
    await work();
  } finally {
    await telemetry.shutdown();
    for (const api of [trace, context, metrics, propagation]) api.disable();
  }
  const lines = (await readFile(file, "utf8")).trim().split("\n");
  const requests = lines.map((line) => JSON.parse(line) as { resourceSpans: { scopeSpans: { spans: Span[] }[] }[] });
  return requests.flatMap(({ resourceSpans }) =>
    resourceSpans.flatMap(({ scopeSpans }) => scopeSpans.flatMap(({ spans }) => spans)),
  );
}

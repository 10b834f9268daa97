import { appendFile } from "node:fs/promises";
import { JsonTraceSerializer } from "@opentelemetry/otlp-transformer";
import type { ReadableSpan, SpanExporter } from "@opentelemetry/sdk-trace";

type ResultCallback = Parameters<SpanExporter["export"]>[1];

/**
 * Appends spans to a file as OTLP JSON, one ExportTraceServiceRequest per line: the format that collectors read as
 * `otlpjsonfile`. Several processes may share the file, for each line is one write in append mode.
 */
export class TraceFileExporter implements SpanExporter {
  readonly #path: string;
  #last: Promise<void> = Promise.resolve();

  constructor(path: string) {
    this.#path = path;
  }

  export(spans: ReadableSpan[], done: ResultCallback): void {
    const line = Buffer.from(JsonTraceSerializer.serializeRequest(spans) ?? []).toString();
    this.#last = this.#last
      .then(() => appendFile(this.#path, `${line}\n`))
      .then(
        () => done({ code: 0 }),
        (error: unknown) => done({ code: 1, error: error instanceof Error ? error : new Error(String(error)) }),
      );
  }

  forceFlush(): Promise<void> {
    return this.#last;
  }

  shutdown(): Promise<void> {
    return this.#last;
  }
}

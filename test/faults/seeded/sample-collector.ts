import { createServer, type Server } from "node:http";

/** What one export of a trainer's says of the samples that generators delivered. */
export interface SampleCount {
  readonly generated: number;
  readonly trained: number;
  readonly refused: number;
  readonly pending: number;
}

interface Point {
  readonly asInt?: string | number;
  readonly asDouble?: number;
}

interface Measured {
  readonly name: string;
  readonly sum?: { readonly dataPoints: readonly Point[] };
  readonly gauge?: { readonly dataPoints: readonly Point[] };
}

/** The body of an OTLP/HTTP request in JSON. */
export interface MetricsRequest {
  readonly resourceMetrics?: readonly { readonly scopeMetrics: readonly { readonly metrics: readonly Measured[] }[] }[];
}

const PREFIX = "spin.trainer.samples.";

/** @returns undefined where an export tells of no samples yet */
export function sampleCountOf({ resourceMetrics = [] }: MetricsRequest): SampleCount | undefined {
  const all = resourceMetrics.flatMap(({ scopeMetrics }) => scopeMetrics.flatMap(({ metrics }) => metrics));
  const measuredAs = (name: string) => {
    const measured = all.find((one) => one.name === PREFIX + name);
    const [point] = (measured?.sum ?? measured?.gauge)?.dataPoints ?? [];
    return point && Number(point.asInt ?? point.asDouble);
  };
  const generated = measuredAs("generated");
  if (generated === undefined) return undefined;
  return {
    generated,
    trained: measuredAs("trained") ?? 0,
    refused: measuredAs("refused") ?? 0,
    pending: measuredAs("pending") ?? 0,
  };
}

/** A collector of OpenTelemetry metrics over HTTP that keeps what they tell of samples. */
export class SampleCollector {
  readonly #server: Server;
  readonly counts: SampleCount[] = [];

  private constructor() {
    this.#server = createServer(async (request, response) => {
      const pieces: Buffer[] = [];
      for await (const piece of request as AsyncIterable<Buffer>) pieces.push(piece);
      response.setHeader("content-type", "application/json").end("{}");
      if (request.url !== "/v1/metrics") return;
      const count = sampleCountOf(JSON.parse(Buffer.concat(pieces).toString()) as MetricsRequest);
      if (count !== undefined) this.counts.push(count);
    });
  }

  static async listen(): Promise<SampleCollector> {
    const collector = new SampleCollector();
    await new Promise<void>((resolve) => collector.#server.listen(0, "127.0.0.1", resolve));
    return collector;
  }

  /** As `http://127.0.0.1:4318`. */
  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as { port: number }).port}`;
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

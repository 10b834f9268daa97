import { once } from "node:events";
import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

/** How a collector treats what is sent to it. */
export type CollectorMode =
  /** Takes everything at once. */
  | "takes"
  /** Answers that it will not have it. */
  | "refuses"
  /** Takes it, and answers after longer than exporters wait. */
  | "slow"
  /** Breaks every connection off in the middle of the request. */
  | "resets"
  /** Nothing listens at its address any more. */
  | "stopped";

/** Longer than an exporter's ten seconds. */
const SLOW_MS = 30_000;

/** A collector of OTLP over HTTP on loopback, which keeps what it took. */
export interface FakeCollector {
  /** For OTEL_EXPORTER_OTLP_ENDPOINT. */
  readonly endpoint: string;
  /** Requests that reached it, whatever became of them. */
  readonly requests: number;
  /** Bodies that it took, by path, as `/v1/metrics`: exporters send JSON. */
  readonly taken: ReadonlyMap<string, readonly string[]>;
  close(): Promise<void>;
}

/** @param modeOf how the next request is treated; a mode alone holds for all */
export async function startFakeCollector(
  modeOf: CollectorMode | ((path: string) => CollectorMode),
): Promise<FakeCollector> {
  const taken = new Map<string, string[]>();
  let requests = 0;
  const server = createServer((request, response) => {
    const path = request.url ?? "";
    const mode = typeof modeOf === "string" ? modeOf : modeOf(path);
    requests += 1;
    if (mode === "resets") return void request.socket.resetAndDestroy();
    const parts: Buffer[] = [];
    request.on("error", () => undefined);
    request.on("data", (part: Buffer) => parts.push(part));
    request.on("end", () => {
      if (mode === "refuses") return answer(response, 400);
      taken.set(path, [...(taken.get(path) ?? []), Buffer.concat(parts).toString()]);
      if (mode === "slow") setTimeout(() => answer(response, 200), SLOW_MS).unref();
      else answer(response, 200);
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const close = async () => {
    if (!server.listening) return;
    const closed = once(server, "close");
    server.close();
    server.closeAllConnections();
    await closed;
  };
  if (modeOf === "stopped") await close();
  return {
    endpoint,
    get requests() {
      return requests;
    },
    taken,
    close,
  };
}

function answer(response: ServerResponse, status: number): void {
  if (!response.destroyed) response.writeHead(status, { "content-type": "application/json" }).end("{}");
}

import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { context, metrics, propagation, trace } from "@opentelemetry/api";
import {
  GeneratorServiceService,
  RenderImagesRequest,
  RenderImagesResponse,
} from "../../proto/gen/spin/v1/generator_service.js";
import { startGeneratorServer } from "../../test/support/generator-server.js";
import { spansOf as record } from "../../test/support/spans.js";
import { useTemporaryFolder } from "../../test/support/temporary-folder.js";
import { SpinError } from "../errors.js";
import { createLogger } from "./logging.js";
import { startTelemetry } from "./telemetry.js";
import { contextOf, currentTraceparent, linksTo, recordSpan, withSpan } from "./tracing.js";

const { getGenerator, renderImages } = GeneratorServiceService;
const folder = useTemporaryFolder();
afterEach(() => {
  for (const api of [trace, context, metrics, propagation]) api.disable();
});

const spansOf = (work: () => Promise<unknown>) => record(join(folder(), "trace.jsonl"), work);

describe("tracing to a file", () => {
  it("makes the client's span the parent of the server's, and that the parent of the handler's own, across awaits and streams", async () => {
    const spans = await spansOf(async () => {
      const { channel, close } = await startGeneratorServer({
        getGenerator: async () => {
          await new Promise(setImmediate);
          return withSpan("look", {}, async () => ({ generator: undefined }));
        },
        renderImages: async function* () {
          for (let item = 0; item < 2; item++) {
            const traceparent = await withSpan(`batch ${item}`, {}, async () => {
              const now = performance.timeOrigin + performance.now();
              recordSpan("compute", now - 250, now, { attributes: { "thread.id": 1 } });
              return currentTraceparent();
            });
            yield RenderImagesResponse.fromPartial({ item, traceparent });
          }
        },
      });
      await withSpan("client", {}, async () => {
        await channel.call(getGenerator, {});
        for await (const { item, traceparent } of channel.stream(renderImages, RenderImagesRequest.create())) {
          await withSpan(`use ${item}`, { links: linksTo(traceparent) }, async () => undefined);
        }
      });
      await close();
    });
    const find = (name: string, kind?: number) =>
      spans.find((span) => span.name === name && (kind === undefined || span.kind === kind))!;
    const [INTERNAL, SERVER, CLIENT] = [1, 2, 3];
    const root = find("client");
    expect(root.parentSpanId ?? "").toBe("");
    expect(new Set(spans.map((span) => span.traceId))).toEqual(new Set([root.traceId]));
    for (const [path, inner] of [
      ["spin.v1.GeneratorService/GetGenerator", "look"],
      ["spin.v1.GeneratorService/RenderImages", "batch 1"],
    ] as const) {
      expect(find(path, CLIENT).parentSpanId).toBe(root.spanId);
      expect(find(path, SERVER).parentSpanId).toBe(find(path, CLIENT).spanId);
      expect(find(inner, INTERNAL).parentSpanId).toBe(find(path, SERVER).spanId);
    }
    const compute = spans.filter((span) => span.name === "compute")[1]!;
    expect(compute.parentSpanId).toBe(find("batch 1").spanId);
    expect((Number(compute.endTimeUnixNano) - Number(compute.startTimeUnixNano)) / 1e6).toBeCloseTo(250, 0);
    expect(find("use 1").links).toEqual([expect.objectContaining({ spanId: find("batch 1").spanId })]);
  });

  it("marks both ends of a failed call", async () => {
    const spans = await spansOf(async () => {
      const handlers = { getGenerator: () => Promise.reject(new SpinError("notFound", "no such thing")) };
      const { channel, close } = await startGeneratorServer(handlers);
      await expect(channel.call(getGenerator, {})).rejects.toThrow("no such thing");
      await close();
    });
    expect(spans.map((span) => span.status)).toEqual([
      { code: 2, message: "no such thing" },
      { code: 2, message: "no such thing" },
    ]);
  });

  it("keeps work that a message asked for in the message's trace", async () => {
    const spans = await spansOf(async () => {
      const traceparent = await withSpan("asked", {}, async () => currentTraceparent());
      await withSpan("done later", {}, async () => undefined, contextOf(traceparent));
    });
    expect(spans[1]?.parentSpanId).toBe(spans[0]?.spanId);
  });

  it("writes the trace's id into log lines inside a span, and none outside", async () => {
    const lines: string[] = [];
    const log = createLogger("test", "info", { write: (line) => void lines.push(line) });
    const [span] = await spansOf(async () => {
      log.info("outside");
      await withSpan("inside", {}, async () => log.info("inside"));
    });
    const [outside, inside] = lines.map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(outside).not.toHaveProperty("traceId");
    expect(inside).toMatchObject({
      traceId: span!.traceId,
      spanId: span!.spanId,
      service: "test",
      level: "info",
      msg: "inside",
    });
  });
});

describe("telemetry to a collector", () => {
  it("sends spans, and the duration of calls, over HTTP", async () => {
    const received: Record<string, string> = {};
    const collector = createServer(async (request, response) => {
      received[request.url ?? ""] = Buffer.concat(await request.toArray()).toString();
      response.writeHead(200, { "content-type": "application/json" }).end("{}");
    }).listen(0, "127.0.0.1");
    await once(collector, "listening");
    const endpoint = `http://127.0.0.1:${(collector.address() as AddressInfo).port}`;
    process.env.OTEL_EXPORTER_OTLP_ENDPOINT = endpoint;
    const telemetry = await startTelemetry("test");
    const { channel, close } = await startGeneratorServer({ getGenerator: async () => ({ generator: undefined }) });
    await channel.call(getGenerator, {});
    await close();
    await telemetry.shutdown();
    delete process.env.OTEL_EXPORTER_OTLP_ENDPOINT;
    expect(received["/v1/traces"]).toContain("spin.v1.GeneratorService/GetGenerator");
    for (const name of ["rpc.client.duration", "rpc.server.duration", "spin.process.eventloop.delay"]) {
      expect(received["/v1/metrics"]).toContain(name);
    }
    collector.closeAllConnections();
    collector.close();
  });
});

describe("without telemetry", () => {
  it("spans cost nothing and messages carry no trace", async () => {
    const telemetry = await startTelemetry("test", {});
    expect(await withSpan("nothing", {}, async (span) => [span.isRecording(), currentTraceparent()])).toEqual([
      false,
      "",
    ]);
    await telemetry.shutdown();
  });

  it.each(["", "00-0-0-01", `00-${"0".repeat(32)}-${"0".repeat(16)}-01`])(
    "takes the traceparent %p for none",
    (traceparent) => {
      expect(linksTo(traceparent)).toEqual([]);
    },
  );
});

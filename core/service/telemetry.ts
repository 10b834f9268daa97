import { monitorEventLoopDelay } from "node:perf_hooks";
import { metrics as metricsApi } from "@opentelemetry/api";
import { METER } from "./tracing.js";

/** Running telemetry. */
export interface Telemetry {
  /** Sends what is left. Call it last, once. */
  shutdown(): Promise<void>;
}

/** How often measures are sent, in milliseconds. */
const METRIC_INTERVAL_MS = 10_000;

/**
 * Starts OpenTelemetry as the environment asks: traces and metrics to a collector over OTLP/HTTP where
 * OTEL_EXPORTER_OTLP_ENDPOINT is set (the SDK's other OTEL_ variables hold too), traces to a file of OTLP JSON lines
 * where SPIN_TRACE_FILE is set. With neither, every span is a no-op and the SDK is not even loaded. Call it before
 * anything else, once in a process.
 */
export async function startTelemetry(service: string, env: NodeJS.ProcessEnv = process.env): Promise<Telemetry> {
  const toCollector = Boolean(env.OTEL_EXPORTER_OTLP_ENDPOINT);
  const traceFile = env.SPIN_TRACE_FILE;
  if (!toCollector && !traceFile) return { shutdown: () => Promise.resolve() };

  const { NodeSDK, metrics, resources } = await import("@opentelemetry/sdk-node");
  const { BatchSpanProcessor } = await import("@opentelemetry/sdk-trace");
  const spanProcessors = [];
  const metricReaders = [];
  if (toCollector) {
    const { OTLPTraceExporter } = await import("@opentelemetry/exporter-trace-otlp-http");
    const { OTLPMetricExporter } = await import("@opentelemetry/exporter-metrics-otlp-http");
    spanProcessors.push(new BatchSpanProcessor({ exporter: new OTLPTraceExporter() }));
    const exporter = new OTLPMetricExporter();
    metricReaders.push(
      new metrics.PeriodicExportingMetricReader({ exporter, exportIntervalMillis: METRIC_INTERVAL_MS }),
    );
  }
  if (traceFile) {
    const { TraceFileExporter } = await import("./trace-file.js");
    spanProcessors.push(new BatchSpanProcessor({ exporter: new TraceFileExporter(traceFile) }));
  }
  const sdk = new NodeSDK({
    serviceName: service,
    resourceDetectors: [resources.envDetector], // The others tell user names and command lines.
    spanProcessors,
    metricReaders,
    logRecordProcessors: [],
  });
  sdk.start();
  if (toCollector) observeEventLoop();
  return { shutdown: () => sdk.shutdown() };
}

/** The longest stall of the event loop between two exports: services promise to stay below 100 ms. */
function observeEventLoop(): void {
  const delay = monitorEventLoopDelay({ resolution: 10 });
  delay.enable();
  const gauge = metricsApi.getMeter(METER).createObservableGauge("nodejs.eventloop.delay.max", { unit: "s" });
  gauge.addCallback((result) => {
    result.observe(delay.max / 1e9);
    delay.reset();
  });
}

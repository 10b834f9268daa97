import { countFailures } from "./counted-exporter.js";
import { sleep } from "./deadline.js";
import { count } from "./metrics.js";
import { measureProcess } from "./process-measures.js";

/** Running telemetry. */
export interface Telemetry {
  /** Sends what is left. Call it last, once. */
  shutdown(): Promise<void>;
}

/** Time for the last export, in milliseconds. */
const SHUTDOWN_MS = 2_000;
/** How often measures are sent, in milliseconds, where OTEL_METRIC_EXPORT_INTERVAL does not say otherwise. */
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
  const failed = (signal: string) => count("spin.telemetry.failures", 1, { signal });
  const spanProcessors = [];
  const metricReaders = [];
  const metricInterval = Number(env.OTEL_METRIC_EXPORT_INTERVAL) || METRIC_INTERVAL_MS;
  if (toCollector) {
    const { OTLPTraceExporter } = await import("@opentelemetry/exporter-trace-otlp-http");
    const { OTLPMetricExporter } = await import("@opentelemetry/exporter-metrics-otlp-http");
    const traces = countFailures(new OTLPTraceExporter(), () => failed("traces"));
    spanProcessors.push(new BatchSpanProcessor({ exporter: traces }));
    const exporter = countFailures(new OTLPMetricExporter(), () => failed("metrics"));
    metricReaders.push(new metrics.PeriodicExportingMetricReader({ exporter, exportIntervalMillis: metricInterval }));
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
  const end = toCollector ? measureProcess(metricInterval) : () => undefined;
  return {
    shutdown: async () => {
      // A collector that does not answer must not hold the process.
      await Promise.race([sdk.shutdown().catch(() => undefined), sleep(SHUTDOWN_MS)]);
      end();
    },
  };
}

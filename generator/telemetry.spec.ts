import { join } from "node:path";
import { context, metrics, propagation, trace } from "@opentelemetry/api";
import { metrics as sdk } from "@opentelemetry/sdk-node";
import { openDataset } from "../core/data/open-dataset.js";
import { withSpan } from "../core/service/tracing.js";
import { GeneratorServiceService, RenderImagesRequest } from "../proto/gen/spin/v1/generator_service.js";
import { SamplingSpec } from "../proto/gen/spin/v1/sampling.js";
import { spansOf } from "../test/support/spans.js";
import { useTemporaryFolder } from "../test/support/temporary-folder.js";
import { startTinyGenerator, type TinyGenerator } from "../test/support/tiny-generator.js";
import { writeTinyModel } from "../test/support/tiny-model.js";

const folder = useTemporaryFolder();
let tiny: TinyGenerator | undefined;
afterEach(async () => {
  await tiny?.close();
  tiny = undefined;
  for (const api of [trace, context, metrics, propagation]) api.disable();
});

/** Two batches of two samples: two draws each on a trajectory of three guided steps. */
async function sampleTwice(): Promise<string[]> {
  const digest = await writeTinyModel(join(folder(), "models/tiny"));
  tiny = await startTinyGenerator(folder());
  const { digest: dataset } = await openDataset("emoji/winners", "train");
  const spec = SamplingSpec.fromPartial({
    checkpoint: { digest },
    dataset: { name: "emoji/winners", digest: dataset, split: "train" },
    iteration: 1,
    form: 1,
    settings: {
      sampler: { kind: 1, numSteps: 3, eta: 1, guidanceScale: 2 },
      timestepChoice: 3,
      drawsPerSample: 3,
      promptDropout: 1,
      image: { crop: 1 },
      dtype: 1,
      batchSize: 2,
    },
  });
  const traceparents: string[] = [];
  const request = { spec, firstIndex: 0, numSamples: 4, contentDigest: "" };
  for await (const { batch } of tiny.channel.stream(GeneratorServiceService.sampleTrajectories, request)) {
    traceparents.push(batch!.traceparent);
  }
  return traceparents;
}

test("one trace leads from the caller through the stream to each batch, which its message names, and to the worker", async () => {
  let traceparents: string[] = [];
  const spans = await spansOf(join(folder(), "trace.jsonl"), async () => {
    await withSpan("step", {}, async () => {
      traceparents = await sampleTwice();
    });
    await tiny!.close();
    tiny = undefined;
  });
  const named = (name: string) => spans.filter((span) => span.name === name);
  const [step] = named("step");
  const streams = named("spin.v1.GeneratorService/SampleTrajectories");
  const [client, server] = [streams.find(({ kind }) => kind === 3)!, streams.find(({ kind }) => kind === 2)!];
  expect(client.parentSpanId).toBe(step!.spanId);
  expect(server.parentSpanId).toBe(client.spanId);
  const batches = named("generator draws");
  expect(batches.map(({ parentSpanId }) => parentSpanId)).toEqual([server.spanId, server.spanId]);
  expect(traceparents).toEqual(batches.map(({ traceId, spanId }) => `00-${traceId}-${spanId}-01`));
  expect(named("worker draws").map(({ parentSpanId }) => parentSpanId)).toEqual(batches.map(({ spanId }) => spanId));
  expect(new Set(spans.map(({ traceId }) => traceId)).size).toBe(1);
});

test("samples, batches, evaluations, seconds, queue and kept encodings are measured", async () => {
  const exporter = new sdk.InMemoryMetricExporter(sdk.AggregationTemporality.CUMULATIVE);
  const reader = new sdk.PeriodicExportingMetricReader({ exporter, exportIntervalMillis: 1e6 });
  const provider = new sdk.MeterProvider({ readers: [reader] });
  metrics.setGlobalMeterProvider(provider);
  await sampleTwice();
  const render = RenderImagesRequest.fromPartial({
    checkpoint: { modelName: "tiny" },
    items: [{ caption: { $case: "prompt", value: "" }, seed: 1n }],
    sampler: { numSteps: 2, guidanceScale: 1 },
  });
  for await (const _ of tiny!.channel.stream(GeneratorServiceService.renderImages, render));
  await reader.forceFlush();
  const all = exporter.getMetrics().flatMap(({ scopeMetrics }) => scopeMetrics.flatMap((scope) => scope.metrics));
  const valuesOf = (name: string) =>
    all
      .find(({ descriptor }) => descriptor.name === name)!
      .dataPoints.map(({ attributes, value }) => [Object.values(attributes).join(), value]);
  expect(valuesOf("spin.generator.batches")).toEqual([
    ["draws", 2],
    ["pictures", 1],
  ]);
  expect(valuesOf("spin.generator.samples")).toEqual([
    ["draws", 4],
    ["pictures", 1],
  ]);
  // Per batch three guided steps of two samples, and six draws of the real side, four at a time.
  expect(valuesOf("spin.generator.unet.evaluations")).toEqual([
    ["draws", 2 * (3 * 4 + 2 * 4)],
    ["pictures", 2],
  ]);
  // Four pictures and the empty prompt were computed, the prompt's other uses were not.
  expect(valuesOf("spin.generator.encodings")).toEqual([
    ["true", 5 + 1],
    ["false", 4 + 1],
  ]);
  expect(valuesOf("spin.generator.queue.length")).toEqual([["", 0]]);
  const [draws] = valuesOf("spin.generator.batch.duration");
  expect(draws).toEqual(["draws", expect.objectContaining({ count: 2, sum: expect.any(Number) })]);
  await provider.shutdown();
});

import { join } from "node:path";
import { metrics } from "@opentelemetry/api";
import { metrics as sdk } from "@opentelemetry/sdk-node";
import { RpcChannel } from "../../core/service/client.js";
import { count, MEASURES } from "../../core/service/metrics.js";
import { measureProcess } from "../../core/service/process-measures.js";
import { EvaluationSpec } from "../../proto/gen/spin/v1/evaluation.js";
import { EvaluatorServiceService } from "../../proto/gen/spin/v1/evaluator_service.js";
import { startAllServices } from "../support/all-services.js";
import { callRaw, rawClient } from "../support/reflection.js";
import { useTemporaryFolder } from "../support/temporary-folder.js";
import { writeTinyModel } from "../support/tiny-model.js";
import { writeTinyScorer } from "../support/tiny-scorer.js";
import { createRun, iterate, smallSpec, succeeded } from "../support/trainer-client.js";

const folder = useTemporaryFolder();
afterEach(() => metrics.disable());

/** Told by a machine with a GPU, and by one whose collector is away. */
const ELSEWHERE = ["spin.gpu.memory.used", "spin.gpu.memory.total", "spin.telemetry.failures"];

test("an iteration and an evaluation emit every measure in the table, in its unit, and none besides", async () => {
  const exporter = new sdk.InMemoryMetricExporter(sdk.AggregationTemporality.CUMULATIVE);
  const reader = new sdk.PeriodicExportingMetricReader({ exporter, exportIntervalMillis: 50 });
  const provider = new sdk.MeterProvider({ readers: [reader] });
  metrics.setGlobalMeterProvider(provider);
  const end = measureProcess(1e6);
  await writeTinyModel(join(folder(), "models/tiny"));
  await writeTinyScorer(join(folder(), "models/scorer"));
  const services = await startAllServices(folder(), {});
  const [trainer, evaluator] = [services.addresses.trainer, services.addresses.evaluator].map(
    (one) => new RpcChannel(one),
  );
  const client = rawClient(services.addresses.trainer);
  try {
    const { runId } = await createRun(trainer!);
    const digest = succeeded(await iterate(trainer!, runId, "a", smallSpec("sft")));
    const spec = EvaluationSpec.fromPartial({
      checkpoints: [{ label: "one", checkpoint: { digest } }],
      prompts: { name: "emoji/winners", split: "test" },
      maxPrompts: 4,
      seeds: [1n],
      sampler: { numSteps: 2, guidanceScale: 1 },
      scorers: ["scorer"],
    });
    const { startEvaluation, watchEvaluation } = EvaluatorServiceService;
    const { evaluation } = await evaluator!.call(startEvaluation, { requestId: "one", spec, resume: undefined });
    const { evaluationId } = evaluation!;
    for await (const _ of evaluator!.stream(watchEvaluation, { evaluationId, afterSequence: 0 }));
    await callRaw(client, { path: "/grpc.health.v1.Health/List", isStream: false }, []);
    count("spin.service.refusals", 0); // A refusal itself is in core/service/doors/open-doors.spec.ts.
    await reader.forceFlush();
  } finally {
    client.close();
    trainer!.close();
    evaluator!.close();
    await services.stop();
    end();
    await provider.shutdown();
  }
  const all = exporter.getMetrics().flatMap(({ scopeMetrics }) => scopeMetrics.flatMap((scope) => scope.metrics));
  const emitted = new Map(all.map(({ descriptor }) => [descriptor.name, descriptor.unit]));
  const ours = [...emitted].filter(([name]) => name.startsWith("spin.") && !ELSEWHERE.includes(name));
  const table = Object.entries(MEASURES).flatMap(([name, { unit }]) =>
    ELSEWHERE.includes(name) ? [] : [[name, unit] as const],
  );
  expect(Object.fromEntries(ours)).toEqual(Object.fromEntries(table));
}, 240_000);

import { chmod, mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type CollectorMode, startFakeCollector } from "../../bench/collector-cost/fake-collector.js";
import { type LocalServices, startLocalServices } from "../../cli/local/services.js";
import { RpcChannel } from "../../core/service/client.js";
import { readConfig } from "../../core/service/config.js";
import { sleep } from "../../core/service/deadline.js";
import { Caller } from "../../core/service/doors/caller.js";
import { CALLER_SETTINGS } from "../../core/service/doors/settings.js";
import { MEASURES, type MeasureName, prometheusNames } from "../../core/service/metrics.js";
import { EvaluationSpec } from "../../proto/gen/spin/v1/evaluation.js";
import { EvaluatorServiceService } from "../../proto/gen/spin/v1/evaluator_service.js";
import { TrainerServiceService } from "../../proto/gen/spin/v1/trainer_service.js";
import { failure } from "../support/failure.js";
import { writeTokens } from "../support/keys.js";
import { alerts, panels } from "../support/observability.js";
import { selectorsIn } from "../support/promql.js";
import { useTemporaryFolder } from "../support/temporary-folder.js";
import { writeTinyModel } from "../support/tiny-model.js";
import { writeTinyScorer } from "../support/tiny-scorer.js";
import { createRun, iterate, smallSpec, succeeded } from "../support/trainer-client.js";

/** More than passes between two exports, in milliseconds. */
const EXPORT_MS = 2_000;

const folder = useTemporaryFolder();
const at = (...path: string[]) => join(folder(), ...path);

/** What came over the wire, as OTLP JSON has it. */
interface Metric {
  readonly name: string;
  readonly unit?: string;
  readonly gauge?: { readonly dataPoints: readonly Point[] };
  readonly sum?: { readonly dataPoints: readonly Point[]; readonly isMonotonic?: boolean };
  readonly histogram?: { readonly dataPoints: readonly Point[] };
}
interface Point {
  readonly attributes?: readonly { readonly key: string; readonly value: Readonly<Record<string, unknown>> }[];
}
interface MetricsRequest {
  readonly resourceMetrics: readonly {
    readonly resource: Point;
    readonly scopeMetrics: readonly { readonly metrics: readonly Metric[] }[];
  }[];
}

const labelsOf = ({ attributes = [] }: Point) =>
  new Map(attributes.map(({ key, value }) => [key, String(Object.values(value)[0])]));

/** Prometheus' names of a metric, by OpenTelemetry's rules for it: units spelled out, `_total` for what only grows. */
function prometheusNamesOf({ name, unit = "", gauge, sum, histogram }: Metric): string[] {
  const spelled: Readonly<Record<string, string>> = { s: "seconds", By: "bytes", "1": gauge ? "ratio" : "" };
  const suffix = unit.startsWith("{") ? "" : (spelled[unit] ?? unit);
  const base = [name.replace(/[^a-zA-Z0-9:_]/g, "_"), suffix].filter((part) => part !== "").join("_");
  if (histogram) return ["bucket", "sum", "count"].map((part) => `${base}_${part}`);
  return [sum?.isMonotonic ? `${base}_total` : base];
}

/** The machine of the test need not have a GPU: what asks for its memory finds this. */
async function writeNvidiaSmi(): Promise<void> {
  await mkdir(at("bin"));
  await writeFile(at("bin/nvidia-smi"), "#!/bin/sh\necho '0, 1024, 81559'\n");
  await chmod(at("bin/nvidia-smi"), 0o755);
}

/** Runs an iteration and an evaluation, and has one call refused. */
async function work(services: LocalServices, token: string): Promise<void> {
  const caller = await Caller.open(readConfig(CALLER_SETTINGS, {}, {}), token);
  const [trainer, evaluator] = [services.trainer, services.evaluator].map((one) => new RpcChannel(one, { caller })) as [
    RpcChannel,
    RpcChannel,
  ];
  const stranger = new RpcChannel(services.trainer);
  try {
    await Promise.race([Promise.all([trainer.waitForReady(60_000), evaluator.waitForReady(60_000)]), services.failed]);
    const { runId } = await createRun(trainer);
    const digest = succeeded(await iterate(trainer, runId, "a", smallSpec("sft")));
    const spec = EvaluationSpec.fromPartial({
      checkpoints: [{ label: "one", checkpoint: { digest } }],
      prompts: { name: "emoji/winners", split: "test" },
      maxPrompts: 4,
      seeds: [1n],
      sampler: { numSteps: 2, guidanceScale: 1 },
      scorers: ["scorer"],
    });
    const { startEvaluation, watchEvaluation } = EvaluatorServiceService;
    const { evaluation } = await evaluator.call(startEvaluation, { requestId: "one", spec, resume: undefined });
    const { evaluationId } = evaluation!;
    for await (const _ of evaluator.stream(watchEvaluation, { evaluationId, afterSequence: 0 }));
    expect((await failure(stranger.call(TrainerServiceService.getRun, { runId }))).kind).toBe("unauthenticated");
  } finally {
    for (const channel of [trainer, evaluator, stranger]) channel.close();
  }
}

test("what the three services send to a collector is every measure in the table, in its unit, and all that dashboard and alerts ask for", async () => {
  await writeTinyModel(at("models/tiny"));
  await writeTinyScorer(at("models/scorer"));
  await writeNvidiaSmi();
  const { service, client } = await writeTokens(at("tokens.json"), { service: "run", client: "run" });
  await writeFile(at("service.token"), service);
  // The first traces are refused, so that the counter of failures has something to count.
  let refused = false;
  const collector = await startFakeCollector((path): CollectorMode => {
    if (refused || path !== "/v1/traces") return "takes";
    refused = true;
    return "refuses";
  });
  const services = await startLocalServices({
    folder: folder(),
    modelDir: at("models"),
    threads: 1,
    environment: {
      PATH: `${at("bin")}:${process.env.PATH}`,
      OTEL_EXPORTER_OTLP_ENDPOINT: collector.endpoint,
      OTEL_BSP_SCHEDULE_DELAY: "200",
      OTEL_METRIC_EXPORT_INTERVAL: "100", // What is measured while an iteration is at work is told meanwhile.
      TOKENS_FILE: at("tokens.json"),
      SPIN_TOKEN_FILE: at("service.token"),
      LOG_LEVEL: "error",
    },
  });
  try {
    await work(services, client);
    await sleep(EXPORT_MS); // What is read when it is exported is told no more once a service stops.
  } finally {
    await services.stop(); // Sends what is left.
    await collector.close();
  }
  const requests = collector.taken.get("/v1/metrics")!.map((body) => JSON.parse(body) as MetricsRequest);
  const resources = requests.flatMap(({ resourceMetrics }) => resourceMetrics);
  const names = new Set(resources.map(({ resource }) => labelsOf(resource).get("service.name")));
  expect(names).toEqual(new Set(["spin-generator", "spin-trainer", "spin-evaluator"]));
  const received = resources.flatMap(({ scopeMetrics }) => scopeMetrics.flatMap(({ metrics }) => metrics));

  // In the units of the table, and nothing that it does not have.
  const ours = received.filter(({ name }) => name.startsWith("spin."));
  const units = Object.fromEntries(ours.map(({ name, unit }) => [name, unit]));
  expect(units).toEqual(Object.fromEntries(Object.entries(MEASURES).map(([name, { unit }]) => [name, unit])));

  // Under the names that Prometheus makes of them, with labels and their values.
  const labels = new Map<string, Map<string, Set<string>>>();
  for (const metric of received) {
    const { dataPoints } = (metric.gauge ?? metric.sum ?? metric.histogram)!;
    for (const name of prometheusNamesOf(metric)) {
      const known = labels.get(name) ?? new Map<string, Set<string>>();
      for (const [key, value] of dataPoints.flatMap((point) => [...labelsOf(point)])) {
        known.set(key, (known.get(key) ?? new Set()).add(value));
      }
      labels.set(name, known);
    }
  }
  for (const name of Object.keys(MEASURES) as MeasureName[]) {
    for (const one of prometheusNames(name)) expect([one, labels.has(one)]).toEqual([one, true]);
  }
  const asked = [
    ...(await panels()).flatMap(({ title, targets }) => targets.map(({ expr }) => ({ where: title, expr }))),
    ...(await alerts()).map(({ alert, expr }) => ({ where: alert, expr })),
  ];
  const missing = asked.flatMap(({ where, expr }) =>
    selectorsIn(expr).flatMap(({ name, labels: needed }) => {
      if (!labels.has(name)) return [`${where}: ${name}`];
      const absent = needed.filter(([label, value]) => !labels.get(name)!.get(label)?.has(value));
      return absent.map(([label, value]) => `${where}: ${name}{${label}="${value}"}`);
    }),
  );
  expect(missing).toEqual([]);
}, 240_000);

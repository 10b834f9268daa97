import { type Attributes, metrics } from "@opentelemetry/api";
import { METER } from "./tracing.js";

/** How a measure is kept. */
type Kind = "counter" | "level" | "gauge" | "histogram";

interface Measure {
  readonly kind: Kind;
  /** UCUM, as OpenTelemetry wants it. */
  readonly unit: string;
  readonly description: string;
}

const measure = <K extends Kind>(kind: K, unit: string, description: string) => ({ kind, unit, description });

/** The one table of what services measure. Dashboards and alerts may name these and nothing else, and a test sees each of them emitted. */
export const MEASURES = {
  "spin.service.refusals": measure("counter", "{call}", "Calls refused at the door, by reason"),
  "spin.service.calls": measure("gauge", "{call}", "Calls being served, health checks apart"),
  "spin.telemetry.failures": measure("counter", "{export}", "Exports that the collector did not take, by signal"),
  "spin.process.memory": measure("gauge", "By", "Resident memory of the process"),
  "spin.process.eventloop.delay": measure("gauge", "s", "Longest stall of the event loop since the last export"),
  "spin.disk.free": measure("gauge", "By", "Bytes free on the disk that a service writes to, by folder"),
  "spin.gpu.memory.used": measure("gauge", "By", "Memory in use on a GPU, by all processes"),
  "spin.gpu.memory.total": measure("gauge", "By", "Memory of a GPU"),

  "spin.generator.batches": measure("counter", "{batch}", "Batches computed, by kind"),
  "spin.generator.samples": measure("counter", "{sample}", "Samples computed, by kind"),
  "spin.generator.unet.evaluations": measure("counter", "{evaluation}", "Evaluations of the UNet, by kind"),
  "spin.generator.batch.duration": measure("histogram", "s", "What a batch takes to compute, by kind"),
  "spin.generator.encodings": measure(
    "counter",
    "{encoding}",
    "Captions and pictures encoded, by whether they were kept",
  ),
  "spin.generator.sent": measure("counter", "By", "Bytes of draws sent"),
  "spin.generator.idle": measure("counter", "s", "Time without a batch to compute"),
  "spin.generator.queue.length": measure("gauge", "{batch}", "Batches that wait to be computed"),
  "spin.generator.queue.streams": measure("gauge", "{stream}", "Streams being served"),

  "spin.trainer.steps": measure("counter", "{step}", "Optimiser steps"),
  "spin.trainer.examples": measure("counter", "{example}", "Samples learned from"),
  "spin.trainer.step.wait": measure("histogram", "s", "What a step waited for draws"),
  "spin.trainer.step.compute": measure("histogram", "s", "What a step computed"),
  "spin.trainer.loss": measure("gauge", "1", "Loss of the last step"),
  "spin.trainer.margin": measure("gauge", "1", "Margin of the last step"),
  "spin.trainer.accuracy": measure("gauge", "1", "Share of pairs in the right order at the last step"),
  "spin.trainer.gradient.norm": measure("gauge", "1", "Norm of the last step's gradient"),
  "spin.trainer.update.norm": measure("gauge", "1", "Norm of the last step's update"),
  "spin.trainer.saturated.share": measure("gauge", "1", "Share of pairs whose gradient has all but vanished"),
  "spin.trainer.collapse.warnings": measure("counter", "{step}", "Steps with a soaring margin and both errors risen"),
  "spin.trainer.received": measure("counter", "By", "Bytes of draws received"),
  "spin.trainer.samples.generated": measure("counter", "{sample}", "Samples that generators delivered"),
  "spin.trainer.samples.trained": measure("counter", "{sample}", "Samples handed to the optimiser, each once"),
  "spin.trainer.samples.refused": measure("counter", "{sample}", "Samples that were wrong, repeated or too late"),
  "spin.trainer.samples.pending": measure("level", "{sample}", "Samples received and not yet handed on"),
  "spin.trainer.draws.ready": measure("gauge", "{batch}", "Batches received and not yet learned from"),
  "spin.trainer.generators": measure(
    "gauge",
    "{generator}",
    "Replicas, by whether they are of use to the iteration at work",
  ),

  "spin.evaluator.pictures": measure("counter", "{picture}", "Pictures scored"),
} as const satisfies Readonly<Record<string, Measure>>;

export type MeasureName = keyof typeof MEASURES;
type NameOf<K extends Kind> = {
  [Name in MeasureName]: (typeof MEASURES)[Name]["kind"] extends K ? Name : never;
}[MeasureName];

/** Bounds of a histogram's buckets, in seconds: from a call to a batch of whole trajectories. OpenTelemetry's own are milliseconds'. */
export const SECONDS = [0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 60, 120, 300, 900, 3600];

const optionsOf = (name: MeasureName) => ({ unit: MEASURES[name].unit, description: MEASURES[name].description });

/** Adds to a counter. Without a collector this and the next do nothing. */
export function count(name: NameOf<"counter">, amount = 1, attributes?: Attributes): void {
  metrics.getMeter(METER).createCounter(name, optionsOf(name)).add(amount, attributes);
}

/**
 * Moves a level up or down. Other than a gauge, of which OpenTelemetry keeps the value with the latest time of day, it is right after the clock
 * was set back too.
 */
export function move(name: NameOf<"level">, amount: number): void {
  metrics.getMeter(METER).createUpDownCounter(name, optionsOf(name)).add(amount);
}

/** Notes a value for a gauge that is set where it changes. */
export function note(name: NameOf<"gauge">, value: number, attributes?: Attributes): void {
  metrics.getMeter(METER).createGauge(name, optionsOf(name)).record(value, attributes);
}

/** Adds a value to a histogram. */
export function observe(name: NameOf<"histogram">, value: number, attributes?: Attributes): void {
  const advice = { explicitBucketBoundaries: SECONDS };
  metrics
    .getMeter(METER)
    .createHistogram(name, { ...optionsOf(name), advice })
    .record(value, attributes);
}

/** A value and what it is of. */
export interface Observation {
  readonly value: number;
  readonly attributes?: Attributes;
}

/** Has a gauge or counter read whenever measures are collected, which waits for what must be asked for. @returns a function that ends it */
export function watch(
  name: NameOf<"gauge" | "counter">,
  read: () => readonly Observation[] | Promise<readonly Observation[]>,
): () => void {
  const meter = metrics.getMeter(METER);
  const options = optionsOf(name);
  const { kind }: Measure = MEASURES[name];
  const instrument =
    kind === "gauge" ? meter.createObservableGauge(name, options) : meter.createObservableCounter(name, options);
  const callback: Parameters<typeof instrument.addCallback>[0] = async (result) => {
    for (const { value, attributes } of await read()) result.observe(value, attributes);
  };
  instrument.addCallback(callback);
  return () => instrument.removeCallback(callback);
}

/** Units as Prometheus spells them behind a name. */
const SUFFIXES: Readonly<Record<string, string>> = { s: "_seconds", By: "_bytes", "1": "_ratio" };

/** Names under which Prometheus has a measure, as OpenTelemetry's translation makes them. */
export function prometheusNames(name: MeasureName): string[] {
  const { kind, unit }: Measure = MEASURES[name];
  const isGauge = kind === "gauge" || kind === "level"; // Prometheus knows no difference.
  const suffix = unit === "1" && !isGauge ? "" : (SUFFIXES[unit] ?? "");
  const base = `${name.replaceAll(".", "_")}${suffix}`;
  if (kind === "counter") return [`${base}_total`];
  return isGauge ? [base] : ["_bucket", "_sum", "_count"].map((part) => base + part);
}

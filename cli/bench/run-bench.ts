import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { toIoError } from "../../core/checkpoint/io-errors.js";
import { computeEnvironment, processorName } from "../../core/runtime/fingerprint.js";
import { Progress } from "../progress.js";
import { type Benchmark, measure, median } from "./benchmark.js";
import { iterationBenchmark } from "./iteration.js";
import { peakMemory } from "./peak-memory.js";
import { formatProfiles, readProfiles } from "./profile.js";
import { sampleBenchmark } from "./sample.js";
import type { BenchmarkName, BenchSettings } from "./settings.js";
import { stepBenchmark } from "./step.js";
import { openSubject, type Subject } from "./subject.js";
import { unetBenchmark } from "./unet.js";

/** What a benchmark found, as it is printed. */
export interface BenchResult {
  readonly bench: BenchmarkName;
  /** Median of the repetitions. */
  readonly ms: number;
  /** The most memory resident at any time, in MiB, of the whole process tree. */
  readonly peak_rss_mb: number;
  /** Each repetition. */
  readonly all_ms: readonly number[];
  /** Reading weights, compiling graphs, and the repetition that is not measured. */
  readonly setup_ms: number;
  readonly settings: object;
  /** Of the UNet. */
  readonly parameters: number;
  readonly latent: readonly number[];
  readonly runtime: string;
  /** Or the GPU. */
  readonly processor: string;
}

type Factory = (subject: Subject, settings: BenchSettings, profilePrefix?: string) => Promise<Benchmark>;

const FACTORIES: Record<BenchmarkName, Factory> = {
  unet: unetBenchmark,
  sample: sampleBenchmark,
  step: stepBenchmark,
  iteration: iterationBenchmark,
};

/** The settings that bear on each, for the record. */
const RECORDED: Record<BenchmarkName, readonly (keyof BenchSettings)[]> = {
  unet: ["batch", "tokens", "repeats"],
  sample: ["batch", "steps", "guidance", "tokens", "repeats"],
  step: ["batch", "reference", "lora", "memoryBudgetMb", "tokens", "repeats"],
  iteration: [
    "batch",
    "steps",
    "samplingSteps",
    "form",
    "inputs",
    "guidance",
    "lora",
    "memoryBudgetMb",
    "tokens",
    "repeats",
  ],
};

/** Runs one benchmark, with progress on standard error; writes the profile where one is asked for. */
export async function runBench(name: BenchmarkName, settings: BenchSettings): Promise<BenchResult> {
  const profiles = settings.profile === undefined ? undefined : await mkdtemp(join(tmpdir(), "spin-profile-"));
  try {
    const prefix = profiles && join(profiles, "profile-");
    const result = await runMeasured(name, settings, prefix);
    if (prefix !== undefined) await writeProfile(settings.profile!, prefix, result);
    return result;
  } finally {
    if (profiles !== undefined) await rm(profiles, { recursive: true });
  }
}

async function runMeasured(name: BenchmarkName, settings: BenchSettings, prefix?: string): Promise<BenchResult> {
  const started = performance.now();
  const subject = await openSubject(settings);
  const benchmark = await FACTORIES[name](subject, settings, prefix);
  const progress = new Progress(`bench ${name}`);
  try {
    await (benchmark.warmUp ?? benchmark.run)();
    const setup = performance.now() - started;
    const times = await measure(benchmark, settings.repeats, (done) => progress.update(done, settings.repeats));
    const threads = settings.threads ?? availableParallelism();
    const device = settings.device ?? "cpu";
    const { runtime, instructionSet } = await computeEnvironment(device, threads);
    return {
      bench: name,
      ms: round(median(times), 3),
      peak_rss_mb: round(await peakMemory(), 1),
      all_ms: times.map((time) => round(time, 3)),
      setup_ms: round(setup, 0),
      settings: {
        ...Object.fromEntries(RECORDED[name].map((key) => [key, settings[key]])),
        threads,
        device,
        precision: settings.precision,
      },
      parameters: subject.parameters,
      latent: subject.latent,
      runtime,
      processor: device === "cpu" ? processorName() : instructionSet,
    };
  } finally {
    progress.end();
    await benchmark.release();
  }
}

/** The sessions' tables below the whole repetition's time: what they leave of it is spent outside the graphs. */
async function writeProfile(file: string, prefix: string, { bench, ms, all_ms: all }: BenchResult): Promise<void> {
  const heading = `bench ${bench}: ${ms.toFixed(2)} ms, median of ${all.length}`;
  try {
    await writeFile(file, `${heading}\n\n${formatProfiles(await readProfiles(prefix))}`);
  } catch (error) {
    throw toIoError(error, file, "write");
  }
}

function round(value: number, decimals: number): number {
  return Number(value.toFixed(decimals));
}

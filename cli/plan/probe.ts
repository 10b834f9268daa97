import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { SpinError } from "../../core/errors.js";
import { PROJECT_ROOT } from "../../core/project-root.js";
import type { Pipeline } from "../../core/runtime/pipeline.js";
import type { BenchResult } from "../bench/run-bench.js";
import type { IterationCounts, ModelSizes } from "./counts.js";

const PROGRAM = join(PROJECT_ROOT, "bin/spin-diffusion.mjs");

/** Seconds of something: while the other service computes too, and while it does not. */
export interface Pace {
  readonly together: number;
  readonly alone: number;
}

/** How fast a model runs on this machine. */
export interface ProbeResult {
  /** One run of the generator's UNet, over `samplingRun` pictures. */
  readonly unetRun: Pace;
  /** One micro-batch in the trainer, update included. */
  readonly microBatch: Pace;
  /** Seconds until trainer and generator compute: reading weights, compiling graphs. */
  readonly setup: number;
  /** Seconds to encode one picture and one caption. */
  readonly encode: number;
  /** Most bytes resident in generator and trainer. */
  readonly generatorBytes: number;
  readonly trainerBytes: number;
}

/** What is known of a model before anything is measured. */
export interface OpenedModel extends ModelSizes {
  readonly tokens: number;
  readonly parameters: number;
  /** Side of the pictures, in pixels. */
  readonly resolution: number;
  /** Pictures and captions are encoded with it. */
  readonly pipeline: Pipeline;
}

/**
 * Measures both services' work at the same time, each in a process of its own with the threads that it will have: what they take from each other
 * is in the figures. Then each alone, and one picture and one caption to encode.
 */
export async function probe(
  folder: string,
  { pipeline, latent, tokens, resolution }: OpenedModel,
  { samplingRun, microBatch, sides }: IterationCounts,
  threads: number,
): Promise<ProbeResult> {
  const common = [
    "--model",
    folder,
    "--tokens",
    String(tokens),
    "--threads",
    String(threads),
    "--latents",
    String(latent[1]),
  ];
  const sample = () => bench(["unet", ...common, "--batch", String(samplingRun), "--repeats", "6"]);
  // One side alone is as much work as half as many pairs.
  const pairs = String(Math.ceil((microBatch * sides) / 2));
  const train = () => bench(["step", ...common, "--batch", pairs, "--reference", "given", "--repeats", "3"]);
  const [unet, step] = await Promise.all([sample(), train()]);
  const unetAlone = await sample();
  const stepAlone = await train();
  const side = resolution;
  const pixels = { shape: [1, 3, side, side], data: new Float32Array(3 * side * side) };
  await pipeline.encodePrompts(["warm up"]);
  const started = performance.now();
  await pipeline.encodeImages(pixels);
  await pipeline.encodePrompts(["a caption"]);
  return {
    unetRun: { together: unet.ms / 1000, alone: unetAlone.ms / 1000 },
    microBatch: { together: step.ms / 1000, alone: stepAlone.ms / 1000 },
    setup: Math.max(unet.setup_ms, step.setup_ms) / 1000,
    encode: (performance.now() - started) / 1000,
    generatorBytes: unet.peak_rss_mb * 2 ** 20,
    trainerBytes: step.peak_rss_mb * 2 ** 20,
  };
}

async function bench(args: readonly string[]): Promise<BenchResult> {
  const child = spawn(process.execPath, [PROGRAM, "bench", ...args, "--json"], { stdio: ["ignore", "pipe", "ignore"] });
  let out = "";
  child.stdout.on("data", (chunk: Buffer) => {
    out += chunk.toString();
  });
  await once(child, "close");
  const result = JSON.parse(out || "{}") as Partial<BenchResult> & { readonly error?: { readonly message: string } };
  if (result.ms !== undefined) return result as BenchResult;
  throw new SpinError("precondition", `the probe failed: ${result.error?.message ?? "it ended without a result"}`, {
    remedy: "--no-probe plans without measuring",
  });
}

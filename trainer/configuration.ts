import { availableParallelism } from "node:os";
import { computeEnvironment } from "../core/runtime/fingerprint.js";
import type { ComputingConfig } from "./train-iteration.js";

/** What of a trainer its results depend on, by name. */
export type Configuration = Readonly<Record<string, string>>;

/** This trainer's: an iteration that went on under another one would not be the iteration that was begun. */
export async function trainerConfiguration(config: ComputingConfig): Promise<Configuration> {
  const { runtime, provider, instructionSet, threads } = await computeEnvironment(
    config.device,
    config.threads || availableParallelism(),
  );
  return {
    runtime,
    device: provider,
    instruction_set: instructionSet,
    threads: String(threads),
    checkpoint_dtype: config.checkpointDtype,
  };
}

/** What differs, each as `threads: 1, now 2`; empty where nothing does, or where nothing was written down. */
export function changedKeys(before: Configuration | undefined, now: Configuration): string[] {
  if (before === undefined) return [];
  const keys = [...new Set([...Object.keys(before), ...Object.keys(now)])].sort((a, b) => (a < b ? -1 : 1));
  return keys
    .filter((key) => before[key] !== now[key])
    .map((key) => `${key}: ${before[key] ?? "nothing"}, now ${now[key] ?? "nothing"}`);
}

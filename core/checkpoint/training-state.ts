import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import * as z from "zod";
import { SpinError } from "../errors.js";
import { parseConfig, readJsonFile } from "../json-config.js";
import { saveFolder } from "./atomic-save.js";
import { readManifest, verifyFolder } from "./manifest.js";
import { namesIn } from "./presence.js";
import { openSafetensors } from "./safetensors.js";
import { writeSafetensors } from "./write-safetensors.js";

/** What training goes on from, after so many optimiser steps. */
export interface TrainingFacts {
  /** Optimiser steps done; the next one consumes the samples behind those that these have consumed. */
  readonly step: number;
  /** Digest of θ_k. */
  readonly baseDigest: string;
  /** Digest of the SamplingSpec that the draws belong to. */
  readonly samplingSpecDigest: string;
  /** Single numbers of optimiser and trainer, by name. */
  readonly scalars: Readonly<Record<string, number>>;
}

/** Everything that the next step depends on. */
export interface TrainingState {
  readonly facts: TrainingFacts;
  /** Weights, moments and the like, by name. */
  readonly tensors: ReadonlyMap<string, Float32Array>;
}

const TENSORS = "state.safetensors";
const FACTS = "state.json";
/** States that are kept: were the newest damaged, the one before would be there. */
const KEPT = 2;

const facts = z.object({
  step: z.int().positive(),
  baseDigest: z.string(),
  samplingSpecDigest: z.string(),
  scalars: z.record(z.string(), z.number()),
});

/**
 * Saves a state as `<folder>/step-<number>`, whole or not at all (see `saveFolder`), and then removes all but the last two.
 * @throws SpinError "exhausted" for a full or failing disk; the states from before are then untouched
 */
export async function saveTrainingState(folder: string, { facts, tensors }: TrainingState): Promise<void> {
  const target = join(folder, `step-${String(facts.step).padStart(7, "0")}`);
  await saveFolder(target, async (at) => {
    const entries = [...tensors].map(([name, data]) => ({ name, dtype: "F32" as const, shape: [data.length], data }));
    await writeSafetensors(join(at, TENSORS), entries);
    await writeFile(join(at, FACTS), `${JSON.stringify(facts, undefined, 1)}\n`);
  });
  for (const old of (await listTrainingStates(folder)).slice(KEPT)) await rm(old, { recursive: true, force: true });
}

/** Folders of the states that are kept, the newest first; none where there is no such folder. */
export async function listTrainingStates(folder: string): Promise<string[]> {
  const names = await namesIn(folder);
  return names
    .filter((name) => /^step-\d+$/.test(name))
    .reverse()
    .map((name) => join(folder, name));
}

/** Removes the states after more than so many steps. @returns their folders */
export async function dropStatesAfter(folder: string, steps: number): Promise<string[]> {
  const beyond = (await listTrainingStates(folder)).filter((state) => Number(/\d+$/.exec(state)![0]) > steps);
  for (const state of beyond) await rm(state, { recursive: true, force: true });
  return beyond;
}

/**
 * Reads a state back, into the arrays that shall hold it, after every byte of it was compared with its manifest.
 * @param tensors arrays to fill, by name, each of the size that was saved
 * @param check looks at the facts; what it throws refuses the state
 * @throws SpinError "corrupt" or "invalid" naming a file or tensor that is not what was saved, "notFound" for a missing one; the arrays are
 * then as they were
 */
export async function readTrainingState(
  folder: string,
  tensors: ReadonlyMap<string, Float32Array>,
  check: (facts: TrainingFacts) => void = () => undefined,
): Promise<TrainingFacts> {
  await verifyFolder(folder, await readManifest(folder));
  const file = join(folder, FACTS);
  const read = parseConfig(facts, await readJsonFile(file), file);
  check(read);
  const saved = await openSafetensors(join(folder, TENSORS));
  for (const [name, { length }] of tensors) {
    const [size] = saved.tensors.get(name)?.shape ?? [];
    if (size === length) continue;
    const message = `${saved.path}: expected ${length} values of ${name}, got ${size ?? "none"}`;
    throw new SpinError("invalid", message, { file: saved.path, tensor: name });
  }
  for (const [name, into] of tensors) into.set(await saved.readFloat32(name));
  return read;
}

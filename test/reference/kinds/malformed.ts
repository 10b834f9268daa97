import { join } from "node:path";
import { openModelFolder } from "../../../core/checkpoint/model-folder.js";
import { openSafetensors } from "../../../core/checkpoint/safetensors.js";
import { readWeights } from "../../../core/checkpoint/weights.js";
import { SpinError } from "../../../core/errors.js";
import type { ReferenceCase } from "../cases.js";
import type { CaseResult } from "../judge.js";
import { readArchive } from "./archives.js";

interface MalformedParameters {
  readonly files?: readonly (string | { readonly file: string })[];
  readonly entries?: readonly { readonly folder: string }[];
}

export async function run(reference: ReferenceCase): Promise<CaseResult> {
  const { files = [], entries = [] } = reference.parameters as MalformedParameters;
  const paths = files.map((entry) => join(reference.folder, typeof entry === "string" ? entry : entry.file));
  switch (reference.name) {
    case "safetensors":
      return { checks: await refusals(paths, readAll) };
    case "configs": {
      const folders = entries.map(({ folder }) => join(reference.folder, folder));
      return { checks: await refusals(folders, readModel) };
    }
    case "archives":
      return { checks: await refusals(paths, readArchive) };
    case "hostile-names":
      return readHostileNames(paths);
    default:
      throw new Error(`no handler for malformed/${reference.name}`);
  }
}

/** Opens a file and reads every tensor, so that nothing wrong stays unseen behind laziness. */
async function readAll(path: string): Promise<void> {
  const file = await openSafetensors(path);
  for (const name of file.tensors.keys()) await file.read(name);
}

async function readModel(path: string): Promise<void> {
  const { unet } = await openModelFolder(path);
  if (unet) await readWeights(unet.weights);
}

/** @returns per path: undefined when it was refused with an error that names it, else what happened instead. */
async function refusals(
  paths: readonly string[],
  open: (path: string) => Promise<unknown>,
): Promise<Record<string, string | undefined>> {
  const outcomes: [string, string | undefined][] = [];
  for (const path of paths) outcomes.push([path, await refusal(path, open)]);
  return Object.fromEntries(outcomes);
}

async function refusal(path: string, open: (path: string) => Promise<unknown>): Promise<string | undefined> {
  const largestAllowed = 50_000_000;
  const before = process.memoryUsage().arrayBuffers;
  try {
    await open(path);
  } catch (error) {
    if (!(error instanceof SpinError)) return `not a typed error: ${error}`;
    if (error.kind === "internal") return `an error of the program's own: ${error.message}`;
    if (!error.message.includes(path)) return `the message does not name it: ${error.message}`;
    return process.memoryUsage().arrayBuffers - before > largestAllowed
      ? "memory of the claimed size was taken"
      : undefined;
  }
  return "was accepted";
}

async function readHostileNames(paths: readonly string[]): Promise<CaseResult> {
  const tensors: [string, number][] = [];
  for (const path of paths) {
    const file = await openSafetensors(path);
    for (const name of file.tensors.keys()) tensors.push([name, (await file.readFloat32(name))[0]!]);
  }
  const pristine = Object.getOwnPropertyNames({}).length === 0 && typeof {}.toString === "function";
  return {
    values: { tensors: Object.fromEntries(tensors) },
    checks: { "objects keep their prototype": pristine ? undefined : "a prototype was changed" },
  };
}

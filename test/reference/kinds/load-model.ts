import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { openSafetensorsSet } from "../../../core/checkpoint/safetensors-set.js";

/** A component's config.json, parsed, and its weights, opened. */
export async function loadModel<C>(folder: string, parse: (json: unknown, file: string) => C, baseName: string) {
  const file = join(folder, "config.json");
  const config = parse(JSON.parse(await readFile(file, "utf8")), file);
  return { config, weights: (await openSafetensorsSet(folder, baseName)).weights };
}

/** Element type of a graph's input for integers. */
export const toInt64 = (values: ArrayLike<number | bigint>) => BigInt64Array.from(values, BigInt);

import { readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import * as z from "zod";
import { SpinError } from "../errors.js";
import { toIoError } from "./io-errors.js";
import { findDuplicateKey } from "./json-keys.js";
import { isFile, namesIn } from "./presence.js";
import { lazyFile, openSafetensors, type SafetensorsFile } from "./safetensors.js";
import { corrupt, type TensorInfo } from "./safetensors-header.js";

const MAX_INDEX_BYTES = 100_000_000;
const indexSchema = z.looseObject({ weight_map: z.looseObject({}) });

/** The file name that a set of weights was found under, and whether it lists shards. */
interface WeightsFile {
  readonly path: string;
  readonly isIndex: boolean;
  readonly variant?: string;
}

/** Opened weights, with the variant that their names tell, as "fp16". */
export interface WeightSet {
  readonly weights: SafetensorsFile;
  readonly variant?: string;
}

/**
 * Opens the weights of a model folder, in one file (`<baseName>.safetensors`) or in shards listed by
 * `<baseName>.safetensors.index.json`. Names may carry a variant, as `<baseName>.fp16.safetensors`: such files are opened when they are asked
 * for, or when there are no others.
 * @param variant opened where it is there; otherwise, as in diffusers, the weights without one
 * @throws SpinError "notFound" for missing weights, or variants of which none was chosen, "corrupt" naming the file and tensor for bad ones
 */
export async function openSafetensorsSet(folder: string, baseName: string, variant?: string): Promise<WeightSet> {
  const { path, isIndex, variant: found } = await findWeights(folder, baseName, variant);
  return { weights: await (isIndex ? openShards(folder, path) : openSafetensors(path)), variant: found };
}

async function findWeights(folder: string, baseName: string, variant?: string): Promise<WeightsFile> {
  const chosen = variant === undefined ? undefined : await findVariant(folder, baseName, variant);
  const plain = chosen ?? (await findVariant(folder, baseName, undefined));
  if (plain !== undefined) return plain;
  const variants = await presentVariants(folder, baseName);
  const [only, another] = variants;
  if (only !== undefined && another === undefined) return (await findVariant(folder, baseName, only))!;
  const file = join(folder, `${baseName}.safetensors`);
  if (only !== undefined) {
    const problem = `has several variants of ${baseName}.safetensors (${variants.join(", ")}) and none without`;
    throw new SpinError("notFound", `${folder} ${problem}`, { file, remedy: "name one of the variants" });
  }
  const hasPickle = await isFile(join(folder, `${baseName}.bin`));
  throw new SpinError("notFound", `${folder} has no weights: ${baseName}.safetensors is missing`, {
    file,
    remedy: hasPickle
      ? `convert ${baseName}.bin with diffusers' save_pretrained(safe_serialization=True)`
      : "download or copy the whole model folder",
  });
}

async function findVariant(
  folder: string,
  baseName: string,
  variant: string | undefined,
): Promise<WeightsFile | undefined> {
  const infix = variant === undefined ? "" : `.${variant}`;
  const candidates = [
    { path: join(folder, `${baseName}${infix}.safetensors`), isIndex: false },
    { path: join(folder, `${baseName}.safetensors.index${infix}.json`), isIndex: true },
    { path: join(folder, `${baseName}${infix}.safetensors.index.json`), isIndex: true },
  ];
  for (const candidate of candidates) if (await isFile(candidate.path)) return { ...candidate, variant };
  return undefined;
}

/** Variants that weights of this name come in. */
async function presentVariants(folder: string, baseName: string): Promise<string[]> {
  const names = await namesIn(folder);
  const patterns = [
    /^\.(\w+)\.safetensors$/,
    /^\.safetensors\.index\.(\w+)\.json$/,
    /^\.(\w+)\.safetensors\.index\.json$/,
  ];
  const found = names
    .filter((name) => name.startsWith(baseName))
    .flatMap((name) => patterns.map((pattern) => pattern.exec(name.slice(baseName.length))?.[1]));
  return [...new Set(found.filter((variant) => variant !== undefined))].sort((a, b) => (a < b ? -1 : 1));
}

async function openShards(folder: string, index: string): Promise<SafetensorsFile> {
  const tensors = new Map<string, TensorInfo>();
  const weightMap = await readWeightMap(index);
  for (const shard of new Set(weightMap.values())) {
    for (const [name, tensor] of (await openSafetensors(join(folder, shard))).tensors) {
      if (weightMap.get(name) !== shard) throw corrupt(index, `${shard} holds it, the index does not say so`, name);
      tensors.set(name, tensor);
    }
  }
  for (const [name, shard] of weightMap) {
    if (!tensors.has(name)) throw corrupt(index, `${shard} does not hold it as the index says`, name);
  }
  return lazyFile(index, { tensors, metadata: new Map() });
}

async function readWeightMap(index: string): Promise<ReadonlyMap<string, string>> {
  const text = await readIndex(index);
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    throw corrupt(index, "is not JSON");
  }
  const parsed = indexSchema.safeParse(json);
  if (!parsed.success) throw corrupt(index, "expected an object with the key weight_map");
  const duplicate = findDuplicateKey(text);
  if (duplicate !== undefined) throw corrupt(index, "the key occurs twice", duplicate);
  const weightMap = new Map<string, string>();
  for (const [name, shard] of Object.entries(parsed.data.weight_map)) {
    // A plain file name only: an index never leads out of its folder.
    if (typeof shard !== "string" || !/^[A-Za-z0-9_][A-Za-z0-9_.-]*\.safetensors$/.test(shard)) {
      throw corrupt(index, `the shard ${JSON.stringify(shard)} is not the name of a file in this folder`, name);
    }
    weightMap.set(name, shard);
  }
  return weightMap;
}

async function readIndex(index: string): Promise<string> {
  try {
    const { size } = await stat(index);
    if (size > MAX_INDEX_BYTES) throw corrupt(index, `${size} bytes, more than the ${MAX_INDEX_BYTES} allowed`);
    return await readFile(index, "utf8");
  } catch (error) {
    throw toIoError(error, index, "read");
  }
}

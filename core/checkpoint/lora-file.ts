import { stat } from "node:fs/promises";
import { join } from "node:path";
import { SpinError } from "../errors.js";
import type { Shape } from "../graph/value.js";
import { type LoraAdapter, loraShapes } from "../models/lora.js";
import type { ParameterShapes } from "../models/parameter-shapes.js";
import { LORA_A, LORA_B, type LoraLayer } from "../nn/lora.js";
import { toIoError } from "./io-errors.js";
import { type LoraKeyStyle, loraKey, parseLoraKey } from "./lora-keys.js";
import { formatLoraMetadata, LORA_ADAPTER_METADATA, parseLoraMetadata } from "./lora-metadata.js";
import { openSafetensors, type SafetensorsFile } from "./safetensors.js";
import { requireFinite } from "./weights.js";
import { writeSafetensors } from "./write-safetensors.js";

/** The name under which diffusers' pipelines write a LoRA and look for one. */
export const LORA_FILE = "pytorch_lora_weights.safetensors";

/** A file's tensors of one layer, by their names there. */
interface LayerKeys {
  A?: string;
  B?: string;
  alpha?: string;
}

/**
 * Reads a UNet's LoRA from a file, or from a folder that holds `pytorch_lora_weights.safetensors`, under any of diffusers' names.
 * Alpha is what an `alpha` tensor says, else `lora_adapter_metadata`, else the rank.
 *
 * @param shapes of the UNet's parameters.
 * @throws SpinError "notFound" for a missing file, "corrupt" naming the file and tensor for one that is no LoRA of this UNet
 */
export async function readLora(path: string, shapes: ParameterShapes): Promise<LoraAdapter> {
  const file = await openSafetensors(await locate(path));
  const metadata = file.metadata.get(LORA_ADAPTER_METADATA);
  const settings = metadata === undefined ? undefined : parseLoraMetadata(metadata, file.path);
  const layers = new Map<string, LoraLayer>();
  const weights = new Map<string, Float32Array<ArrayBuffer>>();
  for (const [module, keys] of keysByLayer(file)) {
    const base = shapes.get(`${module}.weight`);
    const { A, B } = keys;
    if (A === undefined || B === undefined) {
      throw refused(file, "has no counterpart: of A and B one is missing", A ?? B ?? keys.alpha);
    }
    if (base === undefined || (base.length !== 2 && base.length !== 4)) {
      throw refused(file, `is for "${module}", which is no linear layer or convolution of the UNet`, A);
    }
    const rank = file.tensors.get(A)!.shape[0] ?? 0;
    if (rank < 1) throw refused(file, "has no rows: the rank must be 1 or more", A);
    const expected = loraShapes(base, rank);
    checkShape(file, A, expected.a);
    checkShape(file, B, expected.b);
    const said = settings?.of(module);
    if (said !== undefined && said.rank !== rank) {
      throw refused(file, `has the rank ${rank}, ${LORA_ADAPTER_METADATA} says ${said.rank}`, A);
    }
    layers.set(module, { rank, alpha: await readAlpha(file, keys.alpha, said?.alpha ?? rank) });
    weights.set(`${module}.${LORA_A}`, requireFinite(file, A, await file.readFloat32(A)));
    weights.set(`${module}.${LORA_B}`, requireFinite(file, B, await file.readFloat32(B)));
  }
  if (layers.size === 0) throw refused(file, "holds no adapter of a UNet");
  return { layers, weights };
}

async function locate(path: string): Promise<string> {
  try {
    return (await stat(path)).isDirectory() ? join(path, LORA_FILE) : path;
  } catch (error) {
    throw toIoError(error, path, "read");
  }
}

function keysByLayer(file: SafetensorsFile): ReadonlyMap<string, LayerKeys> {
  const layers = new Map<string, LayerKeys>();
  for (const name of file.tensors.keys()) {
    const key = parseLoraKey(name);
    if (key === undefined || name.startsWith("text_encoder")) throw unknownKey(file, name);
    const keys = layers.get(key.module) ?? {};
    const earlier = keys[key.part];
    if (earlier !== undefined) throw refused(file, `is the same as ${JSON.stringify(earlier)}`, name);
    keys[key.part] = name;
    layers.set(key.module, keys);
  }
  return layers;
}

function unknownKey(file: SafetensorsFile, name: string): SpinError {
  if (name.startsWith("text_encoder")) {
    const remedy = "train or extract one for the UNet alone";
    return refused(file, "adapts a text encoder, which is not supported", name, remedy);
  }
  const remedy = "have diffusers write it again, with load_lora_weights and save_lora_weights";
  return refused(file, "is no part of a UNet's adapter by any of diffusers' names", name, remedy);
}

function checkShape(file: SafetensorsFile, name: string, expected: Shape): void {
  const { shape } = file.tensors.get(name)!;
  if (shape.join() === expected.join()) return;
  throw refused(file, `has the shape [${shape.join(", ")}], the UNet makes it [${expected.join(", ")}]`, name);
}

async function readAlpha(file: SafetensorsFile, name: string | undefined, otherwise: number): Promise<number> {
  if (name === undefined) return otherwise;
  const { shape } = file.tensors.get(name)!;
  if (shape.some((extent) => extent !== 1))
    throw refused(file, `has the shape [${shape.join(", ")}], expected one number`, name);
  const [alpha] = requireFinite(file, name, await file.readFloat32(name));
  return alpha!;
}

function refused(
  { path }: SafetensorsFile,
  problem: string,
  tensor?: string,
  remedy = "use a LoRA that was made for this model, or download it again",
): SpinError {
  const what = tensor === undefined ? path : `${path}: tensor ${JSON.stringify(tensor)}`;
  return new SpinError("corrupt", `${what} ${problem}`, { file: path, tensor, remedy });
}

/** How a LoRA is written. */
export interface LoraFileOptions {
  /** PEFT's where not said. */
  readonly keys?: LoraKeyStyle;
  /** More entries for the file's metadata. */
  readonly metadata?: Readonly<Record<string, string>>;
}

/**
 * Writes a UNet's LoRA as diffusers' `load_lora_weights` reads it, float32, alpha in `lora_adapter_metadata`.
 * @throws SpinError as `writeSafetensors`
 */
export async function writeLora(
  path: string,
  { layers, weights }: LoraAdapter,
  shapes: ParameterShapes,
  { keys = "peft", metadata = {} }: LoraFileOptions = {},
): Promise<void> {
  const entries = [...layers].flatMap(([module, { rank }]) => {
    const { a, b } = loraShapes(shapes.get(`${module}.weight`)!, rank);
    const entry = (part: "A" | "B", shape: Shape) => {
      const data = weights.get(`${module}.${part === "A" ? LORA_A : LORA_B}`)!;
      return { name: loraKey(module, part, keys), dtype: "F32" as const, shape, data };
    };
    return [entry("A", a), entry("B", b)];
  });
  await writeSafetensors(path, entries, {
    format: "pt",
    [LORA_ADAPTER_METADATA]: formatLoraMetadata(layers),
    ...metadata,
  });
}

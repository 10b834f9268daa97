import { stat } from "node:fs/promises";
import { join, resolve } from "node:path";
import * as z from "zod";
import { parseSchedulerConfig, type SchedulerConfig } from "../diffusion/scheduler-config.js";
import { SpinError } from "../errors.js";
import { parseConfig, readJsonFile } from "../json-config.js";
import { type ClipConfig, type ClipTextConfig, parseClipConfig, parseClipTextConfig } from "../models/clip/config.js";
import {
  clipParameterShapes,
  clipTextParameterShapes,
  type ParameterShapes,
  unetParameterShapes,
  vaeParameterShapes,
} from "../models/parameter-shapes.js";
import { parseUnetConfig, type UnetConfig } from "../models/unet/config.js";
import { parseVaeConfig, type VaeConfig } from "../models/vae/config.js";
import { type KeyMapping, mapClipKey, mapUnetKey, mapVaeKey } from "./key-mapping.js";
import { MODEL_INDEX, readModelIndex } from "./model-index.js";
import type { SafetensorsFile } from "./safetensors.js";
import { openSafetensorsSet } from "./safetensors-set.js";
import { checkTensors, renameTensors } from "./weights.js";

/** A network of a model folder: its configuration, and its weights, checked against each other and not yet read. */
export interface Network<C> {
  readonly folder: string;
  readonly config: C;
  /** Under the names that the models here know (see key-mapping.ts). */
  readonly weights: SafetensorsFile;
}

/** What a model folder may hold; a component that it does not have is absent. */
export interface ModelComponents {
  readonly unet?: Network<UnetConfig>;
  readonly vae?: Network<VaeConfig>;
  readonly textEncoder?: Network<ClipTextConfig>;
  /** Folder for `loadClipTokenizer`. */
  readonly tokenizer?: string;
  readonly scheduler?: SchedulerConfig;
  /** A whole CLIPModel, as scorers are. */
  readonly clip?: Network<ClipConfig>;
}

/** An opened model folder. */
export interface ModelFolder extends ModelComponents {
  /** Absolute path. */
  readonly path: string;
}

export interface OpenOptions {
  /** Opens the weight files that carry it in their names, as "fp16". */
  readonly variant?: string;
}

/**
 * Opens a folder in diffusers' layout: a StableDiffusionPipeline with `model_index.json`, a folder with some of `unet/`,
 * `vae/`, `text_encoder/`, `tokenizer/`, `scheduler/` in it, or one component by itself. Weights are compared with their
 * configurations by name, shape and type; none are read.
 * @throws SpinError "notFound" for something missing, "corrupt" or "invalid" for something wrong, naming path, key or tensor
 */
export async function openModelFolder(path: string, options: OpenOptions = {}): Promise<ModelFolder> {
  const folder = resolve(path);
  if (!(await exists(folder))) throw missing(folder, "does not exist", "check the path");
  if (await exists(join(folder, MODEL_INDEX))) {
    return { path: folder, ...(await openComponents(folder, await readModelIndex(folder), options)) };
  }
  const present: [string, string | undefined][] = [];
  for (const name of OPENED) if (await exists(join(folder, name))) present.push([name, undefined]);
  if (present.length > 0) return { path: folder, ...(await openComponents(folder, new Map(present), options)) };
  return { path: folder, ...(await openBareComponent(folder, options)) };
}

/**
 * @returns a component of the folder
 * @throws SpinError "notFound" naming folder and component when it has none
 */
export function requireComponent<K extends keyof ModelComponents>(
  model: ModelFolder,
  name: K,
): NonNullable<ModelFolder[K]> {
  const component = model[name];
  if (component === undefined) {
    throw missing(model.path, `has no ${name}, which this needs`, "name a folder that holds a whole pipeline");
  }
  return component;
}

/** Components that are opened, by the names of their folders. */
const OPENED = ["unet", "vae", "text_encoder", "tokenizer", "scheduler"] as const;

async function openComponents(
  folder: string,
  classes: ReadonlyMap<string, string | undefined>,
  options: OpenOptions,
): Promise<ModelComponents> {
  for (const name of classes.keys()) {
    if (await exists(join(folder, name))) continue;
    const remedy = "download or copy the whole model folder";
    throw missing(join(folder, name), `does not exist, ${MODEL_INDEX} names it`, remedy);
  }
  const opened = async <T>(name: string, open: (folder: string) => Promise<T> | T): Promise<T | undefined> =>
    classes.has(name) ? await open(join(folder, name)) : undefined;
  return {
    unet: await opened("unet", (at) => openUnet(at, options)),
    vae: await opened("vae", (at) => openVae(at, options)),
    textEncoder: await opened("text_encoder", (at) => openTextEncoder(at, options)),
    tokenizer: await opened("tokenizer", (at) => at),
    scheduler: await opened("scheduler", (at) => openScheduler(at, classes.get("scheduler"))),
  };
}

const bareSchema = z.looseObject({ _class_name: z.string().optional(), model_type: z.string().optional() });

/** Opens a folder that holds a single component, which its configuration names. */
async function openBareComponent(folder: string, options: OpenOptions): Promise<ModelComponents> {
  if (await exists(join(folder, SCHEDULER_CONFIG))) return { scheduler: await openScheduler(folder) };
  const file = join(folder, CONFIG);
  if (!(await exists(file))) {
    const remedy = `expected ${MODEL_INDEX}, or folders as unet/ and scheduler/, or ${CONFIG}`;
    throw missing(folder, "is not a model folder", remedy);
  }
  const config = parseConfig(bareSchema, await readJsonFile(file), file);
  const kind = config._class_name ?? config.model_type;
  switch (kind) {
    case "UNet2DConditionModel":
      return { unet: await openUnet(folder, options) };
    case "AutoencoderKL":
      return { vae: await openVae(folder, options) };
    case "clip_text_model":
      return { textEncoder: await openTextEncoder(folder, options) };
    case "clip":
      return { clip: await openClip(folder, options) };
    default:
      throw new SpinError(
        "invalid",
        `${file}: _class_name or model_type is ${JSON.stringify(kind)}, which is not supported`,
        {
          file,
          field: config._class_name === undefined ? "model_type" : "_class_name",
          remedy: "supported: UNet2DConditionModel, AutoencoderKL, clip_text_model, clip",
        },
      );
  }
}

const CONFIG = "config.json";
const SCHEDULER_CONFIG = "scheduler_config.json";

interface NetworkKind<C> {
  /** Name of the weight files without their ending. */
  readonly weightsName: string;
  readonly parse: (json: unknown, file: string) => C;
  readonly mapKey: KeyMapping;
  readonly shapes: (config: C) => ParameterShapes;
}

function networkOpener<C>(kind: NetworkKind<C>): (folder: string, options: OpenOptions) => Promise<Network<C>> {
  return async (folder, options) => {
    const file = join(folder, CONFIG);
    const config = kind.parse(await readJsonFile(file), file);
    const weights = renameTensors(await openSafetensorsSet(folder, kind.weightsName, options.variant), kind.mapKey);
    checkTensors(weights, kind.shapes(config));
    return { folder, config, weights };
  };
}

const openUnet = networkOpener({
  weightsName: "diffusion_pytorch_model",
  parse: parseUnetConfig,
  mapKey: mapUnetKey,
  shapes: unetParameterShapes,
});

const openVae = networkOpener({
  weightsName: "diffusion_pytorch_model",
  parse: parseVaeConfig,
  mapKey: mapVaeKey,
  shapes: vaeParameterShapes,
});

const openTextEncoder = networkOpener({
  weightsName: "model",
  parse: parseClipTextConfig,
  mapKey: mapClipKey,
  shapes: clipTextParameterShapes,
});

const openClip = networkOpener({
  weightsName: "model",
  parse: parseClipConfig,
  mapKey: mapClipKey,
  shapes: clipParameterShapes,
});

/** @param className the class that `model_index.json` names, which has the last word as in diffusers */
async function openScheduler(folder: string, className?: string): Promise<SchedulerConfig> {
  const file = join(folder, SCHEDULER_CONFIG);
  const json = parseConfig(z.looseObject({}), await readJsonFile(file), file);
  return parseSchedulerConfig(className === undefined ? json : { ...json, _class_name: className }, file);
}

function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}

function missing(path: string, problem: string, remedy: string): SpinError {
  return new SpinError("notFound", `${path} ${problem}`, { file: path, remedy });
}

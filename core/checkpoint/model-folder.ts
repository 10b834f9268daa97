import { join, resolve } from "node:path";
import * as z from "zod";
import { pipelineScheduler } from "../diffusion/pipeline-sampler.js";
import { parseReplaceableScheduler, type SchedulerConfig } from "../diffusion/scheduler-config.js";
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
import { type KeyMapping, mapClipKey, mapTextEncoderKey, mapUnetKey, mapVaeKey } from "./key-mapping.js";
import { MODEL_INDEX, readModelIndex, XL_DEFAULTS, type XlSettings } from "./model-index.js";
import { exists } from "./presence.js";
import type { SafetensorsFile } from "./safetensors.js";
import { openSafetensorsSet } from "./safetensors-set.js";
import { checkTensors, renameTensors } from "./weights.js";

/** A network of a model folder: its configuration, and its weights, checked against each other and not yet read. */
export interface Network<C> {
  readonly folder: string;
  readonly config: C;
  /** Under the names that the models here know (see key-mapping.ts). */
  readonly weights: SafetensorsFile;
  /** What the names of the weight files carry, as "fp16". */
  readonly variant?: string;
}

/** What a model folder may hold; a component that it does not have is absent. */
export interface ModelComponents {
  readonly unet?: Network<UnetConfig>;
  readonly vae?: Network<VaeConfig>;
  readonly textEncoder?: Network<ClipTextConfig>;
  /** SDXL's second text encoder, whose pooled text is a condition too. */
  readonly textEncoder2?: Network<ClipTextConfig>;
  /** Folder for `loadClipTokenizer`. */
  readonly tokenizer?: string;
  /** The same for `textEncoder2`. */
  readonly tokenizer2?: string;
  readonly scheduler?: SchedulerConfig;
  /** A whole CLIPModel, as scorers are. */
  readonly clip?: Network<ClipConfig>;
}

/** An opened model folder. */
export interface ModelFolder extends ModelComponents {
  /** Absolute path. */
  readonly path: string;
  /** Settings of a StableDiffusionXLPipeline; absent for a StableDiffusionPipeline. */
  readonly xl?: XlSettings;
  /** Components that the index names and nothing here uses, as `safety_checker`. */
  readonly carried?: readonly string[];
  /** Why a component that is there is not opened: a scheduler without a noise schedule. */
  readonly refused?: { readonly scheduler?: SpinError };
  /** What a person should know of how the folder was opened. */
  readonly notes?: readonly string[];
}

export interface OpenOptions {
  /** Opens the weight files that carry it in their names, as "fp16", of the components that have such. */
  readonly variant?: string;
}

/**
 * Opens a folder in diffusers' layout: a StableDiffusionPipeline or StableDiffusionXLPipeline with `model_index.json`, a folder with some of
 * `unet/`, `vae/`, `text_encoder/`, `tokenizer/`, `scheduler/` … in it, or one component by itself. Weights are compared with their
 * configurations by name, shape and type; none are read. A pipeline's scheduler has the settings that the pipeline enforces.
 * @throws SpinError "notFound" for something missing, "corrupt" or "invalid" for something wrong, naming path, key or tensor
 */
export async function openModelFolder(path: string, options: OpenOptions = {}): Promise<ModelFolder> {
  const folder = resolve(path);
  if (!(await exists(folder))) throw missing(folder, "does not exist", "check the path");
  if (await exists(join(folder, MODEL_INDEX))) {
    const { components, xl } = await readModelIndex(folder);
    const carried = [...components.keys()].filter((name) => !isOpened(name));
    return asPipeline({ path: folder, ...(await openComponents(folder, components, options)), xl, carried }, options);
  }
  const present: [string, string | undefined][] = [];
  for (const name of OPENED) if (await exists(join(folder, name))) present.push([name, undefined]);
  if (present.length === 0) return { path: folder, ...(await openBareComponent(folder, options)) };
  const components = await openComponents(folder, new Map(present), options);
  const isXl = components.textEncoder2 !== undefined || components.unet?.config.textTime !== undefined;
  return asPipeline({ path: folder, ...components, xl: isXl ? XL_DEFAULTS : undefined }, options);
}

function asPipeline({ scheduler, ...model }: ModelFolder, options: OpenOptions): ModelFolder {
  return {
    ...model,
    scheduler: scheduler && pipelineScheduler(scheduler, model.xl !== undefined),
    notes: variantNotes(model, options),
  };
}

/** Networks of which another variant was opened than was asked for. */
function variantNotes({ unet, vae, textEncoder, textEncoder2 }: ModelComponents, asked: OpenOptions): string[] {
  return [unet, vae, textEncoder, textEncoder2].flatMap((network) => {
    if (network === undefined || network.variant === asked.variant) return [];
    const { folder, variant } = network;
    if (variant === undefined) return [`${folder} has no variant ${asked.variant}: the weights without one are used`];
    return [`${folder} has the weights of variant ${variant} alone: they are used`];
  });
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
  if (name === "scheduler" && model.refused?.scheduler !== undefined) throw model.refused.scheduler;
  if (component === undefined) {
    throw missing(model.path, `has no ${name}, which this needs`, "name a folder that holds a whole pipeline");
  }
  return component;
}

/** Components that are opened, by the names of their folders. */
const OPENED = ["unet", "vae", "text_encoder", "text_encoder_2", "tokenizer", "tokenizer_2", "scheduler"] as const;

function isOpened(name: string): boolean {
  return OPENED.some((opened) => opened === name);
}

async function openComponents(
  folder: string,
  classes: ReadonlyMap<string, string | undefined>,
  options: OpenOptions,
): Promise<ModelComponents & Pick<ModelFolder, "refused">> {
  for (const name of OPENED.filter((one) => classes.has(one))) {
    if (await exists(join(folder, name))) continue;
    const remedy = "download or copy the whole model folder";
    throw missing(join(folder, name), `does not exist, ${MODEL_INDEX} names it`, remedy);
  }
  const opened = async <T>(name: string, open: (folder: string) => Promise<T> | T): Promise<T | undefined> =>
    classes.has(name) ? await open(join(folder, name)) : undefined;
  const scheduler = await opened("scheduler", (at) => openReplaceableScheduler(at, classes.get("scheduler")));
  return {
    unet: await opened("unet", (at) => openUnet(at, options)),
    vae: await opened("vae", (at) => openVae(at, options)),
    textEncoder: await opened("text_encoder", (at) => openTextEncoder(at, options, classes.get("text_encoder"))),
    textEncoder2: await opened("text_encoder_2", (at) => openTextEncoder(at, options, classes.get("text_encoder_2"))),
    tokenizer: await opened("tokenizer", (at) => at),
    tokenizer2: await opened("tokenizer_2", (at) => at),
    ...scheduler,
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
  /** @param className the class that `model_index.json` names, where it does */
  readonly parse: (json: unknown, file: string, className?: string) => C;
  readonly mapKey: (config: C) => KeyMapping;
  readonly shapes: (config: C) => ParameterShapes;
}

type OpenNetwork<C> = (folder: string, options: OpenOptions, className?: string) => Promise<Network<C>>;

function networkOpener<C>(kind: NetworkKind<C>): OpenNetwork<C> {
  return async (folder, options, className) => {
    const file = join(folder, CONFIG);
    const config = kind.parse(await readJsonFile(file), file, className);
    const set = await openSafetensorsSet(folder, kind.weightsName, options.variant);
    const weights = renameTensors(set.weights, kind.mapKey(config));
    checkTensors(weights, kind.shapes(config));
    return { folder, config, weights, variant: set.variant };
  };
}

const openUnet = networkOpener({
  weightsName: "diffusion_pytorch_model",
  parse: parseUnetConfig,
  mapKey: () => mapUnetKey,
  shapes: unetParameterShapes,
});

const openVae = networkOpener({
  weightsName: "diffusion_pytorch_model",
  parse: parseVaeConfig,
  mapKey: () => mapVaeKey,
  shapes: vaeParameterShapes,
});

const WITH_PROJECTION = "CLIPTextModelWithProjection";

const openTextEncoder = networkOpener({
  weightsName: "model",
  parse: (json, file, className) => {
    const config = parseClipTextConfig(json, file);
    // The class has the last word, as in diffusers; a folder by itself goes by its own `architectures`.
    return className === undefined ? config : { ...config, hasProjection: className === WITH_PROJECTION };
  },
  mapKey: mapTextEncoderKey,
  shapes: clipTextParameterShapes,
});

const openClip = networkOpener({
  weightsName: "model",
  parse: parseClipConfig,
  mapKey: () => mapClipKey,
  shapes: clipParameterShapes,
});

/** @param className the class that `model_index.json` names, which has the last word as in diffusers */
async function openScheduler(folder: string, className?: string): Promise<SchedulerConfig> {
  const file = join(folder, SCHEDULER_CONFIG);
  const json = parseConfig(z.looseObject({}), await readJsonFile(file), file);
  return parseReplaceableScheduler(className === undefined ? json : { ...json, _class_name: className }, file);
}

/** A scheduler of another kind altogether, as flow matching, keeps no one from the rest of the folder. */
async function openReplaceableScheduler(
  folder: string,
  className: string | undefined,
): Promise<Pick<ModelFolder, "scheduler" | "refused">> {
  try {
    return { scheduler: await openScheduler(folder, className) };
  } catch (error) {
    const isOfOtherClass = error instanceof SpinError && error.details.field === "_class_name";
    if (isOfOtherClass) return { refused: { scheduler: error } };
    throw error;
  }
}

function missing(path: string, problem: string, remedy: string): SpinError {
  return new SpinError("notFound", `${path} ${problem}`, { file: path, remedy });
}

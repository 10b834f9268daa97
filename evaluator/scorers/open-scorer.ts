import { dirname, join } from "node:path";
import { mapImageRewardKey } from "../../core/checkpoint/image-reward-keys.js";
import { openModelFolder, requireComponent } from "../../core/checkpoint/model-folder.js";
import { OPEN_CLIP_CONFIG, openOpenClip, openWeightsFile } from "../../core/checkpoint/open-clip.js";
import { exists } from "../../core/checkpoint/presence.js";
import type { SafetensorsFile } from "../../core/checkpoint/safetensors.js";
import { checkTensors, renameTensors } from "../../core/checkpoint/weights.js";
import { SpinError } from "../../core/errors.js";
import type { SessionOptions } from "../../core/graph/session.js";
import { readJsonFile } from "../../core/json-config.js";
import { loadWordPieceTokenizer } from "../../core/models/bert/word-pieces.js";
import { IMAGE_REWARD, parseBlipConfig } from "../../core/models/blip/config.js";
import { imageRewardShapes } from "../../core/models/blip/image-reward.js";
import { type ClipTokenizer, loadClipTokenizer } from "../../core/models/clip/tokenizer.js";
import { scoreHeadLayers, scoreHeadShapes } from "../../core/models/score-head.js";
import { loadAestheticScorer } from "./aesthetic-scorer.js";
import { type ClipFormula, loadClipScorer } from "./clip-scorer.js";
import { BERT_VOCABULARY, CLIP_LARGE, CLIP_VOCABULARY, findCompanion } from "./companions.js";
import { formOf } from "./forms.js";
import { loadImageRewardScorer } from "./image-reward-scorer.js";
import type { ScorerLocation } from "./locate-scorer.js";
import type { Scorer } from "./scorer.js";

/** A scorer whose files were found and checked; nothing of their size is in memory. */
export interface OpenedScorer {
  /** What decides its scores, absolute: a folder with all that it holds, or files. */
  readonly sources: { readonly folder: string } | { readonly files: readonly string[] };
  /** Bytes that its weights take. */
  readonly weightBytes: number;
  /** Compiles its graphs. */
  load(options: SessionOptions): Promise<Scorer>;
}

/**
 * Opens a scorer's files by the form that its name asks for, and compares them with its architecture.
 *
 * @throws SpinError `notFound` for a file that is missing, here or beside it; `invalid` or `corrupt` naming the file, and the tensor, for one
 * that is not of the form.
 */
export async function openScorer({ name, path, modelDir }: ScorerLocation): Promise<OpenedScorer> {
  const form = formOf(name);
  switch (form.kind) {
    case "clip":
      return openClipFolder(path, modelDir, form.formula);
    case "openClip":
      return openHps(path, modelDir, form.formula);
    case "imageReward":
      return openImageReward(path, modelDir);
    case "aesthetic":
      return openAesthetic(path, modelDir);
  }
}

async function openClipFolder(folder: string, modelDir: string, formula: ClipFormula): Promise<OpenedScorer> {
  const model = requireComponent(await openModelFolder(folder), "clip");
  // PickScore's processor is that of the model it was tuned from; a folder may come without.
  const hasOwn = (await exists(join(folder, "vocab.json"))) || (await exists(join(folder, "tokenizer.json")));
  const vocabulary = hasOwn ? folder : await findCompanion(CLIP_VOCABULARY, folder, modelDir);
  const tokenizer = await loadClipTokenizer(vocabulary);
  requireFit(tokenizer, model, folder);
  return {
    sources: hasOwn
      ? { folder }
      : { files: [...filesOf(model.weights), join(folder, "config.json"), ...clipFiles(vocabulary)] },
    weightBytes: bytesOf(model.weights),
    load: (options) => loadClipScorer(folder, model, tokenizer, formula, options),
  };
}

async function openHps(path: string, modelDir: string, formula: ClipFormula): Promise<OpenedScorer> {
  const model = await openOpenClip(path);
  const vocabulary = await findCompanion(CLIP_VOCABULARY, path, modelDir);
  const tokenizer = await loadClipTokenizer(vocabulary, { isOpenClip: true });
  requireFit(tokenizer, model, path);
  return {
    sources: { files: [path, ...(await present(join(dirname(path), OPEN_CLIP_CONFIG))), ...clipFiles(vocabulary)] },
    weightBytes: bytesOf(model.weights),
    load: (options) => loadClipScorer(path, model, tokenizer, formula, options),
  };
}

/** Beside ImageReward's weights: what they are of, in the form of transformers' BLIP, where they are not the published ones. */
const BLIP_CONFIG = "blip_config.json";

async function openImageReward(path: string, modelDir: string): Promise<OpenedScorer> {
  const configFile = join(dirname(path), BLIP_CONFIG);
  const isDescribed = await exists(configFile);
  const config = isDescribed ? parseBlipConfig(await readJsonFile(configFile), configFile) : IMAGE_REWARD;
  const weights = renameTensors(await openWeightsFile(path), mapImageRewardKey);
  const shapes = imageRewardShapes(config, scoreHeadLayers(weights, "mlp."));
  checkTensors(weights, shapes, isDescribed ? configFile : "ImageReward v1.0");
  const vocabulary = join(await findCompanion(BERT_VOCABULARY, path, modelDir), "vocab.txt");
  const tokenizer = await loadWordPieceTokenizer(vocabulary);
  requireFit(tokenizer, { config }, path);
  return {
    sources: { files: [path, ...(await present(configFile)), vocabulary] },
    weightBytes: bytesOf(weights),
    load: (options) => loadImageRewardScorer(config, weights, tokenizer, options),
  };
}

async function openAesthetic(path: string, modelDir: string): Promise<OpenedScorer> {
  const head = await openWeightsFile(path);
  const folder = await findCompanion(CLIP_LARGE, path, modelDir);
  const model = requireComponent(await openModelFolder(folder), "clip");
  const shapes = scoreHeadShapes(model.config.projectionDim, scoreHeadLayers(head));
  checkTensors(head, shapes, `LAION's head on the embeddings of ${folder}`);
  return {
    sources: { files: [path, ...filesOf(model.weights), join(folder, "config.json")] },
    weightBytes: bytesOf(head) + bytesOf(model.weights),
    load: (options) => loadAestheticScorer(model, head, options),
  };
}

interface WithVocabulary {
  readonly config: { readonly text: { readonly vocabSize: number } };
}

function requireFit(
  { vocabularySize }: Pick<ClipTokenizer, "vocabularySize">,
  { config }: WithVocabulary,
  path: string,
): void {
  if (vocabularySize <= config.text.vocabSize) return;
  const sizes = `${vocabularySize} tokens, the model has embeddings for ${config.text.vocabSize}`;
  throw new SpinError("invalid", `${path}: the tokenizer has ${sizes}`, {
    file: path,
    remedy: "take weights and tokenizer from the same model",
  });
}

function clipFiles(folder: string): string[] {
  return CLIP_VOCABULARY.files.map((name) => join(folder, name));
}

async function present(file: string): Promise<string[]> {
  return (await exists(file)) ? [file] : [];
}

/** The files that the tensors lie in. */
function filesOf(weights: SafetensorsFile): string[] {
  return [...new Set([...weights.tensors.values()].map(({ file }) => file))];
}

function bytesOf(weights: SafetensorsFile): number {
  return [...weights.tensors.values()].reduce((sum, { byteLength }) => sum + byteLength, 0);
}

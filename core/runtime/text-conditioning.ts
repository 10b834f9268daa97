import { type ModelFolder, type Network, requireComponent } from "../checkpoint/model-folder.js";
import type { SafetensorsFile } from "../checkpoint/safetensors.js";
import { SpinError } from "../errors.js";
import * as ops from "../graph/ops/index.js";
import type { TensorData } from "../graph/session.js";
import { sizeOf, type Value } from "../graph/value.js";
import type { ClipTextConfig } from "../models/clip/config.js";
import { clipText, endPositions, finalNorm, pool, projectText } from "../models/clip/text.js";
import { type ClipTokenizer, loadClipTokenizer } from "../models/clip/tokenizer.js";
import type { Parameters } from "../nn/parameters.js";
import type { TextConditions } from "./conditions.js";

/** The tokenizers of a model folder; SDXL has two. */
export interface Tokenizers {
  readonly first?: ClipTokenizer;
  readonly second?: ClipTokenizer;
}

/** Runs a compiled text encoder. */
export type RunTextEncoder = (
  key: string,
  weights: SafetensorsFile,
  build: (p: Parameters) => Readonly<Record<string, Value>>,
  feeds: Readonly<Record<string, TensorData>>,
) => Promise<Record<string, Float32Array>>;

/** Loads the tokenizers that a folder has. @throws SpinError "notFound", "corrupt" */
export async function loadTokenizers({ tokenizer, tokenizer2 }: ModelFolder): Promise<Tokenizers> {
  return {
    first: tokenizer === undefined ? undefined : await loadClipTokenizer(tokenizer),
    second: tokenizer2 === undefined ? undefined : await loadClipTokenizer(tokenizer2),
  };
}

/** The tokenizer that says how long prompts are. @throws SpinError "notFound" where the folder has none */
export function leadingTokenizer(model: ModelFolder, { first, second }: Tokenizers): ClipTokenizer {
  const leading = first ?? second;
  if (leading === undefined) requireComponent(model, "tokenizer");
  return leading!;
}

/**
 * What one prompt says to the UNet: the states of Stable Diffusion's encoder after its final norm; of SDXL's encoders the penultimate states
 * without the norm, side by side, and the second's pooled and projected text (diffusers, `encode_prompt` of both pipelines).
 *
 * @param clipSkip layers to leave out at the end
 * @returns one row
 * @throws SpinError "notFound" for a missing component, "invalid" where an encoder has not so many layers
 */
export async function encodeText(
  model: ModelFolder,
  tokenizers: Tokenizers,
  prompt: string,
  clipSkip: number,
  run: RunTextEncoder,
): Promise<TextConditions> {
  if (model.xl === undefined) {
    const network = requireComponent(model, "textEncoder");
    const { config, weights } = network;
    checkClipSkip(clipSkip, config.numHiddenLayers, network.folder);
    const ids = encodeIds(leadingTokenizer(model, tokenizers), prompt);
    const { states } = await run(
      `text ${ids.length} ${clipSkip}`,
      weights,
      (p) => {
        const scope = p.at("text_model");
        const { hiddenStates } = clipText(scope, config, ops.input("ids", [1, ids.length], "int64"));
        return { states: finalNorm(scope, config, hiddenStates.at(-1 - clipSkip)!) };
      },
      { ids },
    );
    return { states: { shape: [1, ids.length, config.hiddenSize], data: states! } };
  }

  const parts: Float32Array[] = [];
  const widths: number[] = [];
  let textEmbeds: TextConditions["textEmbeds"];
  const encoders = xlEncoders(model, tokenizers);
  for (const [i, { network, tokenizer }] of encoders.entries()) {
    const { config, weights, folder } = network;
    checkClipSkip(clipSkip, config.numHiddenLayers - 1, folder);
    const ids = encodeIds(tokenizer, prompt);
    const build = (p: Parameters): Record<string, Value> => {
      const encoded = clipText(p.at("text_model"), config, ops.input("ids", [1, ids.length], "int64"));
      const states = encoded.hiddenStates.at(-2 - clipSkip)!;
      if (!config.hasProjection) return { states };
      return { states, pooled: projectText(p, config, pool(encoded.lastHiddenState, ops.input("end", [1], "int64"))) };
    };
    const feeds: Record<string, TensorData> = config.hasProjection
      ? { ids, end: endPositions([ids], config) }
      : { ids };
    const { states, pooled } = await run(`text ${i} ${ids.length} ${clipSkip}`, weights, build, feeds);
    parts.push(states!);
    widths.push(config.hiddenSize);
    if (config.hasProjection) textEmbeds = { shape: [1, config.projectionDim], data: pooled! };
  }
  return { states: sideBySide(parts, widths), textEmbeds };
}

/** What SDXL is given for no prompt at all (`force_zeros_for_empty_prompt`), one row of the same shape as {@link encodeText}. */
export function zeroText(model: ModelFolder, tokenizers: Tokenizers): TextConditions {
  const encoders = xlEncoders(model, tokenizers);
  const width = encoders.reduce((sum, { network }) => sum + network.config.hiddenSize, 0);
  const { projectionDim } = encoders.at(-1)!.network.config;
  const zeros = (...shape: number[]) => ({ shape, data: new Float32Array(sizeOf(shape)) });
  return {
    states: zeros(1, leadingTokenizer(model, tokenizers).modelMaxLength, width),
    textEmbeds: zeros(1, projectionDim),
  };
}

/** SDXL's encoders, in order; the first may be absent, as in its refiner. */
function xlEncoders(model: ModelFolder, tokenizers: Tokenizers) {
  const encoders: { readonly network: Network<ClipTextConfig>; readonly tokenizer: ClipTokenizer }[] = [];
  if (model.textEncoder !== undefined) {
    encoders.push({ network: model.textEncoder, tokenizer: tokenizers.first ?? missing(model, "tokenizer") });
  }
  const network = requireComponent(model, "textEncoder2");
  encoders.push({ network, tokenizer: tokenizers.second ?? missing(model, "tokenizer2") });
  return encoders;
}

function missing(model: ModelFolder, name: "tokenizer" | "tokenizer2"): never {
  requireComponent(model, name);
  throw new SpinError("internal", `the ${name} of ${model.path} was not loaded`);
}

function encodeIds(tokenizer: ClipTokenizer, prompt: string): BigInt64Array {
  return BigInt64Array.from(tokenizer.encode(prompt), BigInt);
}

function checkClipSkip(clipSkip: number, most: number, folder: string): void {
  if (clipSkip <= most) return;
  throw new SpinError("invalid", `clip_skip is ${clipSkip}, ${folder} has layers for 0 to ${most}`, {
    field: "clip_skip",
    remedy: "leave out fewer layers",
  });
}

/** States [L, X_i] to [1, L, ΣX_i]. */
function sideBySide(parts: readonly Float32Array[], widths: readonly number[]): TextConditions["states"] {
  const width = widths.reduce((sum, one) => sum + one, 0);
  const length = parts[0]!.length / widths[0]!;
  const data = new Float32Array(length * width);
  let offset = 0;
  for (const [i, part] of parts.entries()) {
    for (let row = 0; row < length; row++) {
      data.set(part.subarray(row * widths[i]!, (row + 1) * widths[i]!), row * width + offset);
    }
    offset += widths[i]!;
  }
  return { shape: [1, length, width], data };
}

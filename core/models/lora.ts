import { SpinError } from "../errors.js";
import { type Shape, sizeOf } from "../graph/value.js";
import { initialLoraA, LORA_A, LORA_B, type LoraLayer } from "../nn/lora.js";
import type { ParameterShapes } from "./parameter-shapes.js";

/** Which layers get adapters, and of what rank. */
export interface LoraSettings {
  /** 1 or more. */
  readonly rank: number;
  /** The adapter counts alpha / rank times. */
  readonly alpha: number;
  /** Names of linear layers and convolutions, or what they end with: `to_q`, `ff.net.2`, `mid_block.resnets.0.conv1`. */
  readonly targetModules: readonly string[];
}

/** The projections of all attention layers, as diffusers' training scripts have it. */
export const DEFAULT_LORA_TARGETS: readonly string[] = ["to_q", "to_k", "to_v", "to_out.0"];

/** A model's low-rank adapter. */
export interface LoraAdapter {
  /** What is adapted, and how, by the layer's name. */
  readonly layers: ReadonlyMap<string, LoraLayer>;
  /** A and B by parameter name: the layer's, with `.lora_A.weight` and `.lora_B.weight`. */
  readonly weights: ReadonlyMap<string, Float32Array<ArrayBuffer>>;
}

/**
 * Chooses a model's layers by name, as peft's `target_modules` does: a whole name, or the end of one from a dot on.
 *
 * @param shapes of the model's parameters.
 * @throws SpinError "invalid" naming a target that no linear layer or convolution has
 */
export function chooseLoraLayers(
  shapes: ParameterShapes,
  { rank, alpha, targetModules }: LoraSettings,
): ReadonlyMap<string, LoraLayer> {
  const candidates = [...shapes].flatMap(([name, shape]) =>
    name.endsWith(".weight") && (shape.length === 2 || shape.length === 4) ? [name.slice(0, -".weight".length)] : [],
  );
  const isMeant = (module: string, target: string) => module === target || module.endsWith(`.${target}`);
  const unknown = targetModules.find((target) => !candidates.some((module) => isMeant(module, target)));
  if (unknown !== undefined) {
    throw new SpinError("invalid", `no linear layer or convolution of the model is called "${unknown}"`, {
      field: "target_modules",
      remedy: `name layers as diffusers does, as ${DEFAULT_LORA_TARGETS.join(", ")}, ff.net.0.proj or conv1`,
    });
  }
  const chosen = candidates.filter((module) => targetModules.some((target) => isMeant(module, target)));
  return new Map(chosen.map((module) => [module, { rank, alpha }]));
}

/** Shapes of a layer's A and B: [rank, I] and [O, rank], or for convolutions [rank, C, R, S] and [K, rank, 1, 1]. */
export function loraShapes([outputs, ...inputs]: Shape, rank: number): { readonly a: Shape; readonly b: Shape } {
  return { a: [rank, ...inputs], b: [outputs!, rank, ...inputs.slice(1).map(() => 1)] };
}

/**
 * A new adapter, which changes nothing yet: A as peft draws it, B zeros.
 *
 * @param shapes of the model's parameters, those of the layers among them.
 * @param uniform numbers in [0, 1) for the A of the layer at each place in `layers`.
 */
export function createLora(
  shapes: ParameterShapes,
  layers: ReadonlyMap<string, LoraLayer>,
  uniform: (place: number) => () => number,
): LoraAdapter {
  const weights = new Map<string, Float32Array<ArrayBuffer>>();
  for (const [place, [module, { rank }]] of [...layers].entries()) {
    const { a, b } = loraShapes(shapes.get(`${module}.weight`)!, rank);
    weights.set(`${module}.${LORA_A}`, initialLoraA(rank, sizeOf(a) / rank, uniform(place)));
    weights.set(`${module}.${LORA_B}`, new Float32Array(sizeOf(b)));
  }
  return { layers, weights };
}

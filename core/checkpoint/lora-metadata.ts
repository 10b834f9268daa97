import * as z from "zod";
import type { LoraLayer } from "../nn/lora.js";
import { corrupt } from "./safetensors-header.js";

/** Entry of a safetensors file's metadata in which diffusers keeps peft's LoraConfig, each key with its model's prefix. */
export const LORA_ADAPTER_METADATA = "lora_adapter_metadata";
const PREFIX = "unet.";

/**
 * Names in patterns are taken literally but for a `^` before them: peft takes them for regular expressions, and one from a file
 * could keep a program busy for ever.
 */
const pattern = z.record(z.string().regex(/^\^?[A-Za-z0-9_.]+$/, "expected a module's name"), z.number());
const off = z.literal([false]).nullish();

/** The settings of peft's LoraConfig that change what an adapter computes; those that are not supported must be off. */
const schema = z.looseObject({
  r: z.int().positive(),
  lora_alpha: z.number(),
  rank_pattern: pattern.default({}),
  alpha_pattern: pattern.default({}),
  use_rslora: z.boolean().default(false),
  use_dora: off,
  lora_bias: off,
});

/** Ranks and alphas as a file's metadata has them. */
export interface LoraMetadata {
  /** @returns what a layer's rank must be, and its alpha. */
  of(module: string): LoraLayer;
}

/**
 * Reads what a file says of its adapter's settings.
 * @param text value of {@link LORA_ADAPTER_METADATA}
 * @returns undefined where it says nothing of a UNet's adapter
 * @throws SpinError "corrupt" naming the file, and the setting that is malformed or not supported
 */
export function parseLoraMetadata(text: string, file: string): LoraMetadata | undefined {
  const where = `the metadata entry ${LORA_ADAPTER_METADATA}`;
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    throw corrupt(file, `${where} is not JSON`);
  }
  const all = z.record(z.string(), z.unknown()).safeParse(json);
  if (!all.success) throw corrupt(file, `${where} is not an object`);
  const ours = Object.entries(all.data).flatMap(([key, value]) =>
    key.startsWith(PREFIX) ? [[key.slice(PREFIX.length), value] as const] : [],
  );
  if (ours.length === 0) return undefined;
  const parsed = schema.safeParse(Object.fromEntries(ours));
  if (!parsed.success) {
    const { path, message } = parsed.error.issues[0]!;
    throw corrupt(file, `${where}: ${PREFIX}${path.join(".")}: ${message}`);
  }
  const { r, lora_alpha, rank_pattern, alpha_pattern, use_rslora } = parsed.data;
  return {
    of(module) {
      const rank = find(rank_pattern, module) ?? r;
      const alpha = find(alpha_pattern, module) ?? lora_alpha;
      // Rank-stabilised adapters count alpha / √rank times (Kalajdzievski 2023).
      return { rank, alpha: use_rslora ? alpha * Math.sqrt(rank) : alpha };
    },
  };
}

/** The first pattern that a module's name is, or ends with from a dot on. */
function find(patterns: Readonly<Record<string, number>>, module: string): number | undefined {
  const found = Object.entries(patterns).find(([key]) =>
    key.startsWith("^") ? module === key.slice(1) : module === key || module.endsWith(`.${key}`),
  );
  return found?.[1];
}

/** The settings of an adapter as diffusers writes them. */
export function formatLoraMetadata(layers: ReadonlyMap<string, LoraLayer>): string {
  const most = (of: keyof LoraLayer) => mostCommon([...layers.values()].map((layer) => layer[of]));
  const [r, alpha] = [most("rank"), most("alpha")];
  const others = (of: keyof LoraLayer, usual: number) =>
    Object.fromEntries(
      [...layers].flatMap(([module, layer]) => (layer[of] === usual ? [] : [[`^${module}`, layer[of]]])),
    );
  const config = {
    alpha_pattern: others("alpha", alpha),
    lora_alpha: alpha,
    r,
    rank_pattern: others("rank", r),
    target_modules: [...layers.keys()],
  };
  return JSON.stringify(Object.fromEntries(Object.entries(config).map(([key, value]) => [PREFIX + key, value])));
}

function mostCommon(values: readonly number[]): number {
  const counts = new Map<number, number>();
  for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1);
  return [...counts].reduce((best, entry) => (entry[1] > best[1] ? entry : best))[0];
}

/** What a tensor of a LoRA file is: a part of the adapter of a layer, under the layer's name in its model. */
export interface LoraKey {
  /** As `mid_block.attentions.0.transformer_blocks.0.attn1.to_q`. */
  readonly module: string;
  readonly part: "A" | "B" | "alpha";
}

const PARTS: readonly (readonly [RegExp, LoraKey["part"]])[] = [
  [/\.(?:lora\.down|lora_A)\.weight$/, "A"],
  [/\.(?:lora\.up|lora_B)\.weight$/, "B"],
  [/(?:\.lora)?\.alpha$/, "alpha"],
];

/**
 * Reads the names that diffusers has given to a UNet's adapters, newest first:
 * - PEFT's: `unet.….to_q.lora_A.weight`, `lora_B`;
 * - `unet.….to_q.lora.down.weight`, `up`;
 * - the attention processors': `unet.….processor.to_q_lora.down.weight`, `to_out_lora` for `to_out.0`.
 * The prefix may be absent, as in files of attention processors alone. Each may have an `alpha` beside it.
 * @returns undefined for any other name
 */
export function parseLoraKey(name: string): LoraKey | undefined {
  const key = name
    .replace(/^unet\./, "")
    .replace(/\.processor\./, ".")
    .replace(/\.to_out_lora\./, ".to_out.0.lora.")
    .replace(/\.(to_[qkv])_lora\./, ".$1.lora.");
  for (const [pattern, part] of PARTS) {
    const module = key.replace(pattern, "");
    if (module !== key && module !== "") return { module, part };
  }
  return undefined;
}

/** How adapters are named in a file that is written: as PEFT does and diffusers today, or as diffusers did before. */
export type LoraKeyStyle = "peft" | "diffusers";

/** The name of a layer's A or B in a file, with the prefix that diffusers' pipelines expect. */
export function loraKey(module: string, part: "A" | "B", style: LoraKeyStyle): string {
  const side = style === "peft" ? `lora_${part}` : part === "A" ? "lora.down" : "lora.up";
  return `unet.${module}.${side}.weight`;
}

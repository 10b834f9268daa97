import type { LoraKeyStyle } from "../../core/checkpoint/lora-keys.js";

/** Which LoRA goes into which model. */
export interface MergeSettings {
  /** Diffusers folder. */
  readonly model: string;
  /** File, or folder with `pytorch_lora_weights.safetensors`. */
  readonly lora: string;
  /** Negative: taken out. */
  readonly loraScale: number;
  /** Folder to be. */
  readonly out: string;
}

/** How a LoRA is written anew. */
export interface ConvertSettings extends Pick<MergeSettings, "model" | "lora"> {
  readonly keys: LoraKeyStyle;
  /** File to be. */
  readonly out: string;
}

import { join } from "node:path";
import { LORA_FILE, readLora, writeLora } from "../../core/checkpoint/lora-file.js";
import { mergedWeights } from "../../core/checkpoint/lora-merge.js";
import { type ModelFolder, openModelFolder, requireComponent } from "../../core/checkpoint/model-folder.js";
import type { SafetensorsFile } from "../../core/checkpoint/safetensors.js";
import { createPhiloxStream } from "../../core/diffusion/philox.js";
import { chooseLoraLayers, createLora, type LoraAdapter, type LoraSettings } from "../../core/models/lora.js";
import { type ParameterShapes, unetParameterShapes } from "../../core/models/parameter-shapes.js";
import type { AdapterStart } from "../adapter-start.js";

/** How an adapter is made. */
export interface AdapterOptions extends AdapterStart {
  readonly settings: LoraSettings;
  /** Key of the run's noise. */
  readonly seed: bigint;
  /** Number of the iteration. */
  readonly iteration: number;
}

/** What Philox's numbers are for where a new A is drawn, one stream a layer: beyond the generator's purposes. */
const NEW_ADAPTER = 0x40000;

/** Entry of the LoRA file's metadata that tells the digest of the model that it is for. */
const BASE_DIGEST = "spin_base_digest";

/** A low-rank adapter that is trained, and the model that it is on top of. */
export class Adapter {
  /** The model under the adapter. */
  readonly model: ModelFolder;
  readonly initial: LoraAdapter;
  readonly #shapes: ParameterShapes;
  readonly #baseDigest: string;

  private constructor(model: ModelFolder, shapes: ParameterShapes, initial: LoraAdapter, baseDigest: string) {
    this.model = model;
    this.initial = initial;
    this.#shapes = shapes;
    this.#baseDigest = baseDigest;
  }

  /**
   * The adapter of θ_k, or a new one.
   * @param latest folder of θ_k.
   * @throws SpinError "invalid" naming a target that the UNet does not have, and as `openModelFolder` and `readLora`
   */
  static async start(latest: string, options: AdapterOptions): Promise<Adapter> {
    const { baseFolder, baseDigest, isCarried, settings, seed, iteration } = options;
    const model = await openModelFolder(baseFolder);
    const shapes = unetParameterShapes(requireComponent(model, "unet").config);
    const uniform = (place: number) =>
      createPhiloxStream(seed, { iteration, index: place, purpose: NEW_ADAPTER }).uniform;
    const initial = isCarried
      ? await readLora(join(latest, LORA_FILE), shapes)
      : createLora(shapes, chooseLoraLayers(shapes, settings), uniform);
    return new Adapter(model, shapes, initial, baseDigest);
  }

  /** The UNet's weights with the adapter merged in. @param weights A and B as they are now, by name */
  merged(weights: LoraAdapter["weights"]): SafetensorsFile {
    return mergedWeights(requireComponent(this.model, "unet").weights, this.#with(weights));
  }

  /** Writes the adapter into a checkpoint's folder, where diffusers' `load_lora_weights` finds it. */
  async write(folder: string, weights: LoraAdapter["weights"]): Promise<void> {
    const metadata = { [BASE_DIGEST]: this.#baseDigest };
    await writeLora(join(folder, LORA_FILE), this.#with(weights), this.#shapes, { metadata });
  }

  /** Whether the merged weights differ from other ones in any bit. */
  async differs(weights: LoraAdapter["weights"], from: SafetensorsFile): Promise<boolean> {
    const merged = this.merged(weights);
    for (const module of this.initial.layers.keys()) {
      const [ours, theirs] = [await merged.readFloat32(`${module}.weight`), await from.readFloat32(`${module}.weight`)];
      if (ours.some((value, i) => value !== theirs[i])) return true;
    }
    return false;
  }

  #with(weights: LoraAdapter["weights"]): LoraAdapter {
    return { layers: this.initial.layers, weights };
  }
}

import type { TensorInfo } from "./safetensors-header.js";

/** A tensor under the name that the models here know it by. */
export type RenamedTensor = readonly [name: string, tensor: TensorInfo];

/** Takes a tensor of a file to today's name and shape, or leaves it out. */
export type KeyMapping = (name: string, tensor: TensorInfo) => RenamedTensor | undefined;

const LEGACY_ATTENTION: ReadonlyMap<string, string> = new Map([
  ["query", "to_q"],
  ["key", "to_k"],
  ["value", "to_v"],
  ["proj_attn", "to_out.0"],
]);

/** A UNet's names have not changed. */
export const mapUnetKey: KeyMapping = (name, tensor) => [name, tensor];

/**
 * AutoencoderKL: attention called query, key, value, proj_attn in published SD-1.x files is to_q, to_k, to_v, to_out.0
 * today; weights stored as 1×1 convolutions become matrices.
 */
export const mapVaeKey: KeyMapping = (name, tensor) => {
  const match = /^(.*\.attentions\.\d+)\.(.+)\.(weight|bias)$/.exec(name);
  if (match === null) return [name, tensor];
  const [, block, layer, kind] = match;
  const { shape } = tensor;
  const isPointwise = shape.length === 4 && shape[2] === 1 && shape[3] === 1;
  const squeezed = isPointwise ? { ...tensor, shape: shape.slice(0, 2) } : tensor;
  return [`${block}.${LEGACY_ATTENTION.get(layer!) ?? layer}.${kind}`, squeezed];
};

/** A text encoder's file may hold the whole CLIPModel that it was cut out of, and a projection that the class has no use for. */
export function mapTextEncoderKey({ hasProjection }: { readonly hasProjection: boolean }): KeyMapping {
  return (name, tensor) => {
    if (/^(vision_model\.|visual_projection\.|logit_scale$)/.test(name)) return undefined;
    if (name === "text_projection.weight" && !hasProjection) return undefined;
    return mapClipKey(name, tensor);
  };
}

/**
 * CLIP: text encoders come with and without the prefix `text_model.`, which they get; the buffers `position_ids` of older
 * files hold 0, 1, 2, … and are left out.
 */
export const mapClipKey: KeyMapping = (name, tensor) => {
  if (name.endsWith("embeddings.position_ids")) return undefined;
  const isBare = /^(embeddings|encoder|final_layer_norm)\./.test(name);
  return [isBare ? `text_model.${name}` : name, tensor];
};

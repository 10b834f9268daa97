import type { Shape } from "../graph/value.js";
import type { ParameterShapes } from "../models/parameter-shapes.js";
import { lazyFile, type SafetensorsFile } from "./safetensors.js";
import { corrupt, DTYPE_BYTES, type TensorInfo } from "./safetensors-header.js";

/** open_clip's names (open_clip/model.py, transformer.py) and transformers', of what is not inside a layer. */
const OUTER: ReadonlyMap<string, string> = new Map([
  ["logit_scale", "logit_scale"],
  ["token_embedding.weight", "text_model.embeddings.token_embedding.weight"],
  ["positional_embedding", "text_model.embeddings.position_embedding.weight"],
  ["ln_final.weight", "text_model.final_layer_norm.weight"],
  ["ln_final.bias", "text_model.final_layer_norm.bias"],
  ["text_projection", "text_projection.weight"],
  ["visual.class_embedding", "vision_model.embeddings.class_embedding"],
  ["visual.positional_embedding", "vision_model.embeddings.position_embedding.weight"],
  ["visual.conv1.weight", "vision_model.embeddings.patch_embedding.weight"],
  ["visual.ln_pre.weight", "vision_model.pre_layrnorm.weight"],
  ["visual.ln_pre.bias", "vision_model.pre_layrnorm.bias"],
  ["visual.ln_post.weight", "vision_model.post_layernorm.weight"],
  ["visual.ln_post.bias", "vision_model.post_layernorm.bias"],
  ["visual.proj", "visual_projection.weight"],
]);

const INNER: ReadonlyMap<string, string> = new Map([
  ["ln_1", "layer_norm1"],
  ["ln_2", "layer_norm2"],
  ["attn.out_proj", "self_attn.out_proj"],
  ["mlp.c_fc", "mlp.fc1"],
  ["mlp.c_proj", "mlp.fc2"],
]);

const LAYER = /^(visual\.)?transformer\.resblocks\.(\d+)\.(.+?)[._](weight|bias)$/;

/**
 * An open_clip model's tensors under the names of transformers' CLIPModel, each at its place in the file: `attn.in_proj` is the query's, the
 * key's and the value's rows, one after another. The projections stay as they lie there (`projectionIsInputMajor`). Causal masks, which
 * some files hold, are left out.
 *
 * @throws SpinError "corrupt" where a fused projection's rows do not come in threes.
 */
export function renameOpenClip(file: SafetensorsFile): SafetensorsFile {
  const tensors = new Map<string, TensorInfo>();
  for (const [name, tensor] of file.tensors) {
    if (name === "attn_mask") continue;
    const [, visual, index, layer, kind] = LAYER.exec(name) ?? [];
    const scope = `${visual === undefined ? "text" : "vision"}_model.encoder.layers.${index}`;
    if (layer === "attn.in_proj") {
      for (const [i, projection] of ["q_proj", "k_proj", "v_proj"].entries()) {
        tensors.set(`${scope}.self_attn.${projection}.${kind}`, third(tensor, i, name));
      }
    } else if (layer === undefined) {
      tensors.set(OUTER.get(name) ?? name, tensor);
    } else {
      tensors.set(`${scope}.${INNER.get(layer) ?? layer}.${kind}`, tensor);
    }
  }
  return lazyFile(file.path, { tensors, metadata: file.metadata });
}

/** The i-th third of a tensor's rows. */
function third(tensor: TensorInfo, i: number, name: string): TensorInfo {
  const [rows = 0, ...rest] = tensor.shape;
  if (rows % 3 !== 0 || tensor.strides !== undefined) {
    throw corrupt(tensor.file, `${rows} rows that are not queries, keys and values`, name);
  }
  const byteLength = (rest.reduce((size, extent) => size * extent, rows) * DTYPE_BYTES[tensor.dtype]) / 3;
  return { ...tensor, shape: [rows / 3, ...rest], offset: tensor.offset + i * byteLength, byteLength };
}

/**
 * The same the other way: a model's shapes under open_clip's names, with the queries', keys' and values' weights as one.
 * @param shapes under transformers' names, projections as open_clip has them
 */
export function openClipNames(shapes: ParameterShapes): ParameterShapes {
  const outer = new Map([...OUTER].map(([theirs, ours]) => [ours, theirs]));
  const inner = new Map([...INNER].map(([theirs, ours]) => [ours, theirs]));
  const renamed = new Map<string, Shape>();
  for (const [name, shape] of shapes) {
    const match = /^(text|vision)_model\.encoder\.layers\.(\d+)\.(.+)\.(weight|bias)$/.exec(name);
    if (match === null) {
      renamed.set(outer.get(name) ?? name, shape);
      continue;
    }
    const [, tower, index, layer, kind] = match;
    const scope = `${tower === "vision" ? "visual." : ""}transformer.resblocks.${index}`;
    const isFused = /^self_attn\.[qkv]_proj$/.test(layer!);
    if (isFused) renamed.set(`${scope}.attn.in_proj_${kind}`, [3 * shape[0]!, ...shape.slice(1)]);
    else renamed.set(`${scope}.${inner.get(layer!) ?? layer}.${kind}`, shape);
  }
  return renamed;
}

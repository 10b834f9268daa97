import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { writeSafetensors } from "../../core/checkpoint/write-safetensors.js";
import { createPhiloxStream } from "../../core/diffusion/philox.js";
import { sizeOf } from "../../core/graph/value.js";
import { parseClipConfig } from "../../core/models/clip/config.js";
import { cutVocabulary, writeClipTokenizer } from "../../core/models/clip/cut-vocabulary.js";
import { loadClipTokenizer } from "../../core/models/clip/tokenizer.js";
import { clipParameterShapes } from "../../core/models/parameter-shapes.js";

/** Writes a CLIPModel folder with random weights: small, quick, of no use but to tests. */
export async function writeTinyScorer(folder: string, { seed = 1n, logitScale = 3 } = {}): Promise<void> {
  await writeClipTokenizer(folder, cutVocabulary(["woman with red hair", "blue heart"]), 12);
  const { vocabularySize, eosTokenId } = await loadClipTokenizer(folder);
  const tower = { hidden_size: 16, intermediate_size: 32, num_attention_heads: 2, num_hidden_layers: 1 };
  const config = {
    model_type: "clip",
    projection_dim: 8,
    text_config: {
      ...tower,
      model_type: "clip_text_model",
      vocab_size: vocabularySize,
      eos_token_id: eosTokenId,
      max_position_embeddings: 12,
    },
    vision_config: { ...tower, model_type: "clip_vision_model", image_size: 32, patch_size: 8 },
  };
  await writeFile(join(folder, "config.json"), JSON.stringify(config));
  let index = 0;
  const entries = [...clipParameterShapes(parseClipConfig(config, folder))].map(([name, shape]) => {
    const stream = createPhiloxStream(seed, { iteration: 0, index: index++, purpose: 0 });
    const normals = stream.normals(sizeOf(shape));
    const data = name === "logit_scale" ? Float32Array.of(logitScale) : normals.map((x) => x * 0.3);
    return { name, dtype: "F32" as const, shape, data };
  });
  await writeSafetensors(join(folder, "model.safetensors"), entries);
}

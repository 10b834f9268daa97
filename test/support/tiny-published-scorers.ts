import { copyFile, mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { imageRewardName } from "../../core/checkpoint/image-reward-keys.js";
import { openClipNames } from "../../core/checkpoint/open-clip-keys.js";
import { writeTorchFile } from "../../core/checkpoint/torch/write-torch-file.js";
import { createPhiloxStream } from "../../core/diffusion/philox.js";
import { sizeOf } from "../../core/graph/value.js";
import { parseBlipConfig } from "../../core/models/blip/config.js";
import { imageRewardShapes } from "../../core/models/blip/image-reward.js";
import { parseOpenClipConfig } from "../../core/models/clip/open-clip-config.js";
import { clipParameterShapes, type ParameterShapes } from "../../core/models/parameter-shapes.js";
import { scoreHeadShapes } from "../../core/models/score-head.js";
import { writeTinyScorer } from "./tiny-scorer.js";

const HEAD = [6, 5, 4, 3, 1].map((width, i) => ({ index: [0, 2, 4, 6, 7][i]!, width }));
const BERT_TOKENS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "cat", "dog", "red", "heart"];

/**
 * The published scorers' files, small: `pickscore/`, `hps.pt`, `imagereward.pt`, `aesthetic.pth`, and what they need beside them.
 * @param dtype of HPS's weights
 */
export async function writeTinyScorers(folder: string, dtype: "F16" | "F32" = "F16"): Promise<void> {
  await writeTinyScorer(join(folder, "pickscore"), { seed: 3n });
  await writeTinyScorer(join(folder, "clip-vit-large-patch14"), { seed: 4n });
  const vocabulary = JSON.parse(await readFile(join(folder, "pickscore/vocab.json"), "utf8")) as object;
  const openClip = {
    model_cfg: {
      embed_dim: 10,
      vision_cfg: { image_size: 32, layers: 1, width: 16, head_width: 8, patch_size: 8 },
      text_cfg: { context_length: 12, vocab_size: Object.keys(vocabulary).length, width: 16, heads: 2, layers: 1 },
    },
  };
  await writeFile(join(folder, "open_clip_config.json"), JSON.stringify(openClip));
  const hps = openClipNames(clipParameterShapes(parseOpenClipConfig(openClip, "tiny")));
  await writeTorchFile(join(folder, "hps.pt"), random(hps, 1, dtype), "state_dict");
  const tower = { hidden_size: 16, intermediate_size: 32, num_attention_heads: 2, num_hidden_layers: 1 };
  const blip = {
    model_type: "blip",
    vision_config: { ...tower, image_size: 32, patch_size: 8 },
    text_config: { ...tower, vocab_size: BERT_TOKENS.length, max_position_embeddings: 40 },
  };
  await writeFile(join(folder, "blip_config.json"), JSON.stringify(blip));
  const reward = imageRewardShapes(parseBlipConfig(blip, "tiny"), HEAD);
  const named = new Map([...reward].map(([name, shape]) => [imageRewardName(name), shape]));
  await writeTorchFile(join(folder, "imagereward.pt"), random(named, 2, "F32"));
  await writeTorchFile(join(folder, "aesthetic.pth"), random(scoreHeadShapes(8, HEAD), 3, "F32"));
  await mkdir(join(folder, "bert-base-uncased"), { recursive: true });
  await writeFile(join(folder, "bert-base-uncased/vocab.txt"), BERT_TOKENS.join("\n"));
  for (const name of ["vocab.json", "merges.txt"]) await copyFile(join(folder, "pickscore", name), join(folder, name));
}

function random(shapes: ParameterShapes, purpose: number, dtype: "F16" | "F32") {
  return [...shapes].map(([name, shape], index) => {
    const normals = createPhiloxStream(9n, { iteration: 0, index, purpose }).normals(sizeOf(shape));
    return { name, dtype, shape, data: normals.map((value) => 0.3 * value) };
  });
}

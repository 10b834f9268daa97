import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { writeSafetensors } from "../../core/checkpoint/write-safetensors.js";
import type { Shape } from "../../core/graph/value.js";
import { CLIP_MEAN, CLIP_STD } from "../../core/models/clip/pixels.js";
import type { ScorerMetrics } from "./scorer-metrics.js";

/** What metrics.json holds. */
export interface ScorerFigures {
  readonly validation: ScorerMetrics;
  readonly test: ScorerMetrics;
  /** The same scorer before it learnt preferences. */
  readonly contrastiveOnly: { readonly test: ScorerMetrics };
}

/**
 * Writes weights in half precision, configurations and figures beside the tokenizer, in transformers' layout of a
 * CLIPModel.
 */
export async function saveScorer(
  folder: string,
  config: object,
  imageSize: number,
  weights: ReadonlyMap<string, Float32Array>,
  shapes: ReadonlyMap<string, Shape>,
  figures: ScorerFigures,
): Promise<void> {
  await mkdir(folder, { recursive: true });
  const entries = [...weights].map(([name, data]) => ({ name, dtype: "F16" as const, shape: shapes.get(name)!, data }));
  await writeSafetensors(join(folder, "model.safetensors"), entries, { format: "pt" });
  const json = (name: string, value: unknown) =>
    writeFile(join(folder, name), `${JSON.stringify(value, undefined, 2)}\n`);
  await json("config.json", config);
  await json("preprocessor_config.json", preprocessorConfig(imageSize));
  await json("metrics.json", figures);
  await writeFile(join(folder, "README.md"), readme(figures));
}

/** preprocessor_config.json, for transformers' CLIPImageProcessor. */
function preprocessorConfig(size: number) {
  return {
    crop_size: { height: size, width: size },
    do_center_crop: true,
    do_convert_rgb: true,
    do_normalize: true,
    do_rescale: true,
    do_resize: true,
    image_mean: CLIP_MEAN,
    image_processor_type: "CLIPImageProcessor",
    image_std: CLIP_STD,
    resample: 3,
    rescale_factor: 1 / 255,
    size: { shortest_edge: size },
  };
}

function readme({ validation, test, contrastiveOnly }: ScorerFigures): string {
  const row = (what: string, field: keyof ScorerMetrics) => {
    const share = (metrics: ScorerMetrics) => `${(100 * metrics[field]).toFixed(1)} %`;
    return `| ${what} | ${share(validation)} | ${share(test)} | ${share(contrastiveOnly.test)} |`;
  };
  return `# The built-in scorer

A small CLIPModel of PickScore's form (Kirstain et al. 2023): score = exp(logit_scale)·cos(prompt, picture). Trained from
scratch by this project's own engine on the training part of the built-in emoji data: contrastively on both styles, then
on preference pairs (the winners' style over the other style of the same caption), the contrastive term kept at half
weight. It opens in transformers as \`CLIPModel\`.

Made by \`node dist/demo/train/scorer-main.js\` after \`npm run build\`. Shares on captions that were in no training picture
(validation: ${validation.captions} captions, test: ${test.captions}, two pictures each), ties half; in full in
\`metrics.json\`:

| | validation | test | test, before preferences |
| --- | --- | --- | --- |
${row("prefers the winner of a pair", "pairAccuracy")}
${row("own caption first among all of the part", "retrieval")}
${row("own caption over another of the part", "captionAccuracy")}
${row("own caption over the most similar one there is", "hardCaptionAccuracy")}
${row("right picture in the other style over a wrong one in the winners'", "contentOverStyle")}

The last row says whether it looks at what a picture shows, and not at style alone.
`;
}

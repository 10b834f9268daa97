import { writeFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { parseOverride, readRecipe } from "../../cli/recipe/read-recipe.js";
import { decodeImage } from "../../core/data/image.js";
import { METADATA_FILE, readImageFolder } from "../../core/data/image-folder.js";
import { IndexFolder } from "../../core/data/index-folder.js";
import { ParquetFile, parquetProcess } from "../../core/data/parquet-file.js";
import { indexShard } from "../../core/data/pick-a-pic-shard.js";
import { readPromptList } from "../../core/data/prompt-list.js";
import { PROJECT_ROOT } from "../../core/project-root.js";
import { parseTokens } from "../../core/service/doors/tokens.js";
import { readSpans } from "../../core/service/read-spans.js";
import { numberedRows, writePickAPic } from "../data/pick-a-pic.js";
import { type Decoder, golden, texts, written } from "./decoder.js";

const PROMPTS = {
  txt: "a red fox\n\na blue heart on a hill\n",
  jsonl: '{"prompt": "a red fox"}\n{"prompt": "a blue heart", "negative_prompt": "grey"}\n',
  tsv: 'Prompt\tCategory\tChallenge\tNote\na "red" fox\tAnimals\tBasic\t\nblue\tAbstract\tBasic\tx\n',
  json: '["a red fox", "a blue heart"]',
};

const RECIPE = `name: small
base: base
dataset: emoji/winners
seed: 1
objective: spin-renoised
iterations:
  - &first {beta: 5000}
  - *first
learningRate: 1.0e-5
evaluation: {prompts: emoji/winners, split: test, scorers: [scorer]}
`;

const TRACE = `${JSON.stringify({
  resourceSpans: [
    {
      resource: { attributes: [{ key: "service.name", value: { stringValue: "spin-trainer" } }] },
      scopeSpans: [
        { spans: [{ name: "step", spanId: "a1", startTimeUnixNano: "1000", endTimeUnixNano: "2000", attributes: [] }] },
      ],
    },
  ],
})}\n`;

const TOKENS = JSON.stringify({
  tokens: [{ name: "ci", role: "run", sha256: "ab".repeat(32), expires: "2027-01-01T00:00:00.000Z" }],
});

/** Milliseconds for which a damaged file may keep the process that reads parquet: within what any input may take. */
const PARQUET_MS = 800;
const parquet = parquetProcess(PARQUET_MS);

/** Data sets, prompts, recipes and what else people write or download. */
export const DATA_DECODERS: readonly Decoder[] = [
  {
    name: "Pick-a-Pic parquet",
    seeds: async (cases) => [
      ...(await written(async (path) => {
        await writePickAPic(path(""), "small", await numberedRows(3, { side: 8 }), { rowGroupSize: 2 });
        return ["small"];
      })),
      ...(await golden(
        "dataset/snappy/train-00000-of-00001.parquet",
        "dataset/zstd/train-00000-of-00001.parquet",
        "dataset/gzip-two-files/train-00000-of-00002.parquet",
      )(cases)),
    ],
    decode: async ({ file }) => {
      const path = await file();
      return indexShard(dirname(path), basename(path), (shard) => ParquetFile.open(shard, parquet));
    },
    end: () => parquet.end(),
  },
  {
    name: "picture",
    seeds: golden(
      "preprocess/pictures/images/alpha.png",
      "preprocess/pictures/images/palette.png",
      "preprocess/pictures/images/rotated.jpg",
      "dataset/imagefolder/images/f.webp",
    ),
    decode: async ({ bytes }) => decodeImage(bytes, "picture"),
  },
  {
    name: "image folder's metadata.jsonl",
    seeds: golden("dataset/imagefolder/images/metadata.jsonl"),
    decode: async ({ file, folder }) => {
      await file(join("pictures", METADATA_FILE));
      return readImageFolder({ folder: join(folder, "pictures"), indices: new IndexFolder(join(folder, "indices")) });
    },
  },
  ...(["txt", "jsonl", "tsv", "json"] as const).map(
    (kind): Decoder => ({
      name: `prompt list .${kind}`,
      seeds: texts(PROMPTS[kind]),
      decode: async ({ file }) => readPromptList("input", await file(`prompts.${kind}`)),
    }),
  ),
  {
    name: "recipe",
    seeds: async () => [
      ...(await texts(RECIPE)("")),
      ...(await golden("recipes/emoji-spin.yaml", "recipes/sft.yaml", "recipes/spin-iter1.yaml")(PROJECT_ROOT)),
    ],
    decode: async ({ file }) => readRecipe(await file("recipe.yaml")),
  },
  {
    name: "recipe's --set",
    seeds: texts("evaluation.maxPrompts=32", "iterations=[{beta: 5000}, {beta: 2.0e+4}]", "name='x'"),
    decode: async ({ bytes, folder }) => {
      const override = parseOverride(new TextDecoder().decode(bytes));
      const recipe = join(folder, "recipe.yaml");
      await writeFile(recipe, RECIPE);
      return readRecipe(recipe, [override]);
    },
  },
  {
    name: "tokens file",
    seeds: texts(TOKENS),
    decode: async ({ bytes }) => parseTokens(new TextDecoder().decode(bytes), "tokens.json"),
  },
  { name: "trace file", seeds: texts(TRACE, TRACE + TRACE), decode: async ({ file }) => readSpans(await file()) },
];

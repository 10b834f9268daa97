import { readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { checkRequest } from "../../core/service/validation.js";
import { useTemporaryFolder } from "../../test/support/temporary-folder.js";
import { startIterationRequest } from "../../trainer/requests.js";
import { toIterationSpec } from "../run/iteration-spec.js";
import { iterationsOf } from "./iterations.js";
import { parseOverride, readRecipe } from "./read-recipe.js";

const RECIPES = fileURLToPath(new URL("../../recipes", import.meta.url));
const files = (await readdir(RECIPES)).filter((name) => name.endsWith(".yaml"));
const folder = useTemporaryFolder();

async function read(text: string, ...set: string[]) {
  const file = join(folder(), "recipe.yaml");
  await writeFile(file, text);
  return readRecipe(file, set.map(parseOverride));
}
const MINIMAL = "name: r\nbase: base\ndataset: emoji\n";

test("the recipes that ship are those of the paper and small ones", () => {
  const paper = ["spin-iter1", "spin-iter2", "spin-iter3", "dpo", "sft"];
  const small = ["emoji-spin", "emoji-sft", "emoji-dpo"];
  expect(new Set(files)).toEqual(new Set([...paper, ...small].map((name) => `${name}.yaml`)));
});

test.each(files)("%s is valid, and the trainer takes its iterations", async (file) => {
  const recipe = await readRecipe(join(RECIPES, file));
  expect(recipe.name).toBe(file.replace(".yaml", ""));
  for (const settings of iterationsOf(recipe)) {
    const spec = toIterationSpec(settings, recipe.name);
    expect(() => checkRequest(startIterationRequest, { requestId: "r", runId: "run", spec })).not.toThrow();
  }
});

test("the paper's runs have the paper's numbers", async () => {
  const specOf = async (name: string) => {
    const [settings] = iterationsOf(await readRecipe(join(RECIPES, `${name}.yaml`)));
    return toIterationSpec(settings!, name);
  };
  const numbers = async (name: string) => {
    const { numSteps, batchSize, microBatchSize, objective, optimizer } = await specOf(name);
    const { learningRate, weightDecay, warmupSteps } = optimizer!;
    const beta = (objective!.value as { beta?: number }).beta;
    return [numSteps, batchSize, microBatchSize, beta, learningRate, weightDecay, warmupSteps];
  };
  expect(await numbers("spin-iter1")).toEqual([50, 2048, 8, 2000, 2e-5, 0.01, 200]);
  expect(await numbers("spin-iter2")).toEqual([500, 2048, 8, 5000, 2e-5, 0.01, 200]);
  expect(await numbers("spin-iter3")).toEqual([200, 2048, 8, 5000, 5e-8, 0.01, 200]);
  expect(await numbers("dpo")).toEqual([350, 2048, 8, 2000, 2e-5, 0.01, 200]);
  expect(await numbers("sft")).toEqual([4000, 512, 32, undefined, 1e-5, 0.01, 500]);
});

test("a mistake is told with its line, its key, what was expected and what came", async () => {
  const text = `${MINIMAL}steps: many\nbetta: 3\niterations:\n  - beta: 1\n  - beta: -1\n    colour: red\nevaluation:\n  prompts: emoji\n  maxPrompt: 3\n`;
  const error: unknown = await read(text).catch((caught: unknown) => caught);
  expect((error as Error).message).toContain('line 4: steps: expected a whole number from 1 to 1000000, got "many"');
  expect((error as Error).message).toContain("line 5: betta: there is no such key; known are steps, batch");
  expect((error as Error).message).toContain("line 8: iterations.1.beta: expected a number above 0, got -1");
  expect((error as Error).message).toContain("line 9: iterations.1.colour: there is no such key");
  expect((error as Error).message).toContain("line 12: evaluation.maxPrompt: there is no such key; known are prompts");
});

test.each([
  ["base: base\ndataset: emoji\n", "name: expected 1 to 40 characters"],
  [`${MINIMAL}name: again\n`, "line 4: Map keys must be unique"],
  [
    `${MINIMAL}objective: spinn\n`,
    'line 4: objective: expected one of spin, spin-exact, spin-renoised, sft, dpo, got "spinn"',
  ],
  [`${MINIMAL}dataset2: [\n`, "line "],
  ["- a\n", "expected"],
  [`${MINIMAL}iterations: 2\nselect:\n  prompts: emoji\n`, "select: expected one iteration to choose from"],
])("%j is refused", async (text, message) => {
  await expect(read(text)).rejects.toMatchObject({ kind: "invalid", message: expect.stringContaining(message) });
});

test("values set from outside go before the recipe's, nested ones too, and are checked alike", async () => {
  const text = `${MINIMAL}steps: 9\nevaluation:\n  prompts: emoji\n`;
  const recipe = await read(text, "steps=2", "gradientAccumulation=4", "evaluation.scorers=[a, b]", "seed=7");
  expect(recipe).toMatchObject({ steps: 2, gradientAccumulation: 4, seed: 7, evaluation: { scorers: ["a", "b"] } });
  await expect(read(text, "steps=0")).rejects.toThrow("--set steps: expected a whole number from 1 to 1000000, got 0");
  expect(() => parseOverride("steps")).toThrow('--set: expected key=value, got "steps"');
});

test("iterations differ in what their entries say, and in nothing else", async () => {
  const recipe = await read(`${MINIMAL}beta: 7\nsteps: 3\niterations:\n  - beta: 1\n  - learningRate: 0.5\n`);
  const [first, second] = iterationsOf(recipe);
  expect([first!.beta, second!.beta, first!.steps, second!.steps]).toEqual([1, 7, 3, 3]);
  expect([first!.learningRate, second!.learningRate]).toEqual([1e-5, 0.5]);
});

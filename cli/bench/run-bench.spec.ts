import { readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { useTemporaryFolder } from "../../test/support/temporary-folder.js";
import { TINY_LATENT, TINY_PROMPT_LENGTH, writeTinyModel } from "../../test/support/tiny-model.js";
import { runBench } from "./run-bench.js";
import { BENCHMARKS, type BenchSettings } from "./settings.js";

const folder = useTemporaryFolder();
const FEW: Omit<BenchSettings, "model"> = {
  batch: 2,
  steps: 2,
  samplingSteps: 3,
  form: "trajectory",
  inputs: "latents",
  guidance: 2,
  tokens: 5,
  repeats: 3,
  threads: 1,
  reference: "evaluated",
};

/** A folder with `unet/` and `scheduler/` in it and nothing else. */
async function bareModel(): Promise<string> {
  const model = join(folder(), "model");
  await writeTinyModel(model);
  for (const other of ["model_index.json", "vae", "text_encoder", "tokenizer"]) {
    await rm(join(model, other), { recursive: true });
  }
  return model;
}

test.each(BENCHMARKS)("%s runs on a UNet and a scheduler alone, and tells time and memory", async (name) => {
  const result = await runBench(name, { ...FEW, model: await bareModel() });
  expect(result).toMatchObject({ bench: name, latent: TINY_LATENT, settings: { batch: 2, repeats: 3, threads: 1 } });
  expect(result.all_ms).toHaveLength(3);
  expect(result.ms).toBe([...result.all_ms].sort((a, b) => a - b)[1]);
  expect(result.ms).toBeGreaterThan(0);
  expect(result.peak_rss_mb).toBeGreaterThan(50);
});

test.each(["step", "iteration"] as const)("%s trains an adapter where one is asked for", async (name) => {
  const result = await runBench(name, { ...FEW, model: await bareModel(), lora: 3 });
  expect(result).toMatchObject({ settings: { lora: 3 } });
  expect(result.ms).toBeGreaterThan(0);
});

describe("an iteration on pictures", () => {
  const pictures = { ...FEW, form: "renoised", inputs: "pictures", repeats: 1 } as const;

  it("encodes them and their captions with the folder's VAE and text encoder", async () => {
    const model = join(folder(), "model");
    await writeTinyModel(model);
    const result = await runBench("iteration", { ...pictures, model, tokens: TINY_PROMPT_LENGTH });
    expect(result).toMatchObject({ settings: { form: "renoised", inputs: "pictures" }, ms: expect.any(Number) });
    await expect(runBench("iteration", { ...pictures, model, tokens: 5 })).rejects.toMatchObject({
      kind: "invalid",
      details: { field: "tokens", remedy: `say --tokens ${TINY_PROMPT_LENGTH}` },
    });
  });

  it("needs a VAE", async () => {
    const run = runBench("iteration", { ...pictures, model: await bareModel() });
    await expect(run).rejects.toMatchObject({ kind: "notFound", message: expect.stringContaining("vae") });
  });
});

test("a profile tells of each session which operators take the time", async () => {
  const profile = join(folder(), "profile.txt");
  await runBench("step", { ...FEW, model: await bareModel(), profile });
  const text = await readFile(profile, "utf8");
  expect(text).toMatch(/^bench step: \d+\.\d+ ms, median of 3$/m);
  expect(text).toMatch(/^reference: \d+\.\d+ ms a run, average of 3$/m);
  expect(text).toMatch(/^training: \d+\.\d+ ms a run, average of 3$/m);
  expect(text).toMatch(/^Conv +\d+ +\d+\.\d+ +\d+\.\d %$/m);
});

test("the trainer's form of a step has no second session", async () => {
  const profile = join(folder(), "profile.txt");
  await runBench("step", { ...FEW, model: await bareModel(), profile, reference: "given" });
  expect(await readFile(profile, "utf8")).not.toContain("reference:");
});

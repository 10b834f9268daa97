import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { numberedRows, writePickAPic } from "../../bench/data/pick-a-pic.js";
import { commandLine } from "../support/run-command-line.js";
import { useTemporaryFolder } from "../support/temporary-folder.js";
import { TINY_IMAGE_SIZE, writeTinyModel } from "../support/tiny-model.js";
import { writeTinyScorer } from "../support/tiny-scorer.js";

/** Recipes from end to end: the paper's on data in Pick-a-Pic's shape, with services that the command starts itself. */

const PROGRAM = fileURLToPath(new URL("../../bin/spin-diffusion.mjs", import.meta.url));
const recipe = (name: string) => fileURLToPath(new URL(`../../recipes/${name}.yaml`, import.meta.url));
const folder = useTemporaryFolder();

beforeEach(async () => {
  await writeTinyModel(join(folder(), "models/stable-diffusion-v1-5"));
  await writeTinyScorer(join(folder(), "models/scorer"));
  const rows = await numberedRows(40, { side: 24 });
  rows[0] = { ...rows[0]!, label: 1, jpg_0: rows[0]!.jpg_0.subarray(0, 99) };
  await writePickAPic(join(folder(), "data/pickapic_v2"), "train-00000-of-00001.parquet", rows);
  const held = await numberedRows(10, { side: 24 });
  await writePickAPic(join(folder(), "data/pickapic_v2"), "validation_unique-00000-of-00001.parquet", held);
});

const SMALL = ["batch=2", "gradientAccumulation=2", "steps=2", "samplingSteps=2", `resolution=${TINY_IMAGE_SIZE}`];
const LOCAL = () => [
  ...["--local", "--model-dir", join(folder(), "models"), "--data-dir", join(folder(), "data")],
  ...["--state-dir", join(folder(), "state"), "--threads", "1"],
];
const run = (name: string, ...set: string[]) =>
  commandLine("run", recipe(name), ...LOCAL(), "--json", ...[...SMALL, ...set].flatMap((one) => ["--set", one]));

interface Outcome {
  readonly run_id: string;
  readonly checkpoints: readonly { readonly digest: string; readonly last_step?: { readonly step: number } }[];
  readonly candidates?: readonly { readonly label: string; readonly score: number }[];
  readonly summary: string;
}

test("the paper's iterations follow each other by name, each two optimiser steps, beginning at ln 2", async () => {
  const first = await run("spin-iter1");
  expect(first).toMatchObject({ code: 0 });
  expect(first.err).toContain("31 of 40 rows are used, 8 are ties, 0 unlabelled, 1 broken");
  expect(first.err).toMatch(/train-00000-of-00001\.parquet row 0: jpg_0, the winner: not a readable picture/);
  // ln 2 but for rounding, which β multiplies by a thousand; the trainer holds each error to its own bound.
  expect(first.err).toMatch(/spin-1 1\/2 {2}loss 0\.693\d {2}margin [+-]0\.00/);
  const one = JSON.parse(first.out) as Outcome;
  expect(one.checkpoints[1]!.last_step!.step).toBe(2);

  const second = await run("spin-iter2");
  expect(second).toMatchObject({ code: 0 });
  const two = JSON.parse(second.out) as Outcome;
  // θ_1 of the first recipe's run is where the second begins.
  expect(two.checkpoints[0]!.digest).toBe(one.checkpoints[1]!.digest);
  // The same command finds the run that there is and tells the same of it.
  const again = await run("spin-iter2");
  expect(JSON.parse(again.out)).toEqual(two);
  const kept = JSON.parse(await readFile(two.summary, "utf8")) as Outcome;
  expect(kept.checkpoints).toEqual(two.checkpoints);
});

test("pairs train Diffusion-DPO, and SFT offers a checkpoint of every interval to choose from", async () => {
  expect(await run("dpo")).toMatchObject({ code: 0 });
  const judged = ["select.scorers=[scorer]", "select.maxPrompts=4", "select.steps=2", "select.guidance=1"];
  const { code, out } = await run(
    "sft",
    "warmup=0",
    "steps=4",
    "checkpointInterval=1",
    "learningRate=0.001",
    ...judged,
  );
  expect(code).toBe(0);
  const { candidates, checkpoints } = JSON.parse(out) as Outcome;
  expect(new Set(candidates!.map(({ label }) => label))).toEqual(new Set(["sft-1.1", "sft-1.2", "sft-1.3", "sft-1.4"]));
  const scores = candidates!.map(({ score }) => score);
  expect(scores).toEqual([...scores].sort((a, b) => b - a));
  expect(checkpoints).toHaveLength(2);
});

test("a run that Ctrl-C ended stops its services and is gone on with by the same command", async () => {
  const file = join(folder(), "two.yaml");
  const text = `name: two\nbase: stable-diffusion-v1-5\ndataset: pickapic_v2\nobjective: dpo\niterations: 2\nsteps: 30\nbatch: 2\n`;
  await writeFile(file, text);
  const args = ["run", file, ...LOCAL(), "--json"];
  const child = spawn(process.execPath, [PROGRAM, ...args], { stdio: ["ignore", "pipe", "pipe"] });
  let told = "";
  child.stderr.on("data", (chunk: Buffer) => {
    told += chunk.toString();
    if (told.includes("dpo-2  2/30")) child.kill("SIGINT");
  });
  const [code] = (await once(child, "close")) as [number];
  expect(code).toBe(130);
  const finished = /dpo-1 is (sha256:[0-9a-f]{64})/.exec(told)![1];

  const { code: again, out } = await commandLine(...args);
  expect(again).toBe(0);
  const { checkpoints } = JSON.parse(out) as Outcome;
  expect(checkpoints).toHaveLength(3);
  expect(checkpoints[1]!.digest).toBe(finished);
});

test("a plan counts without measuring, and a measured one is held against the run", async () => {
  const set = SMALL.flatMap((one) => ["--set", one]);
  const where = ["--model-dir", join(folder(), "models"), "--data-dir", join(folder(), "data")];
  const state = ["--state-dir", join(folder(), "state"), "--data-index-dir", join(folder(), "index")];
  const counted = await commandLine("plan", recipe("spin-iter1"), ...where, ...state, ...set, "--no-probe", "--json");
  expect(counted).toMatchObject({ code: 0 });
  expect(JSON.parse(counted.out)).toMatchObject({
    dataset_size: 31,
    iterations: [
      {
        steps: 2,
        samples: 8,
        synthetic: 8,
        // Two steps with and without the caption, and θ_k's errors on both sides.
        generatorEvaluations: 8 * (2 * 2 + 2),
        trainerEvaluations: 16,
        samplingRun: 4,
        microBatch: 2,
        microBatches: 4,
      },
    ],
  });
  const measured = await commandLine("plan", recipe("spin-iter1"), ...where, ...state, ...set);
  expect(measured).toMatchObject({ code: 0 });
  expect(measured.out).toMatch(/training takes about \d+/);
  const { out } = await run("spin-iter1");
  const { plan } = JSON.parse(out) as { plan: Record<string, number> };
  expect(plan.measured_seconds).toBeGreaterThan(0);
  expect(plan.ratio).toBeCloseTo(plan.measured_seconds! / plan.planned_seconds!, 1);
});

/**
 * Runs this project's benchmarks and PyTorch's by turns on the same folder and prints a table.
 *
 *   node bench/compare.mjs --python scratch/bin/python --model demo/base --rounds 3
 */
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

const ROOT = fileURLToPath(new URL("..", import.meta.url));

const { values: options } = parseArgs({
  options: {
    model: { type: "string", default: "demo/base" },
    python: { type: "string", default: "python3" },
    batch: { type: "string", default: "8" },
    rounds: { type: "string", default: "3" },
    tokens: { type: "string", default: "77" },
    threads: { type: "string" },
    only: { type: "string" },
  },
});
const rounds = Number(options.rounds);
const { batch } = options;

/** What is set beside what: the flags of both, and flags of one side alone. */
const CASES = [
  { name: "UNet forward, batch 1", bench: "unet", flags: { batch: 1 } },
  { name: `UNet forward, batch ${batch}`, bench: "unet", flags: { batch } },
  { name: `sampling ${batch} pictures, 20 DDIM steps, guidance`, bench: "sample", flags: { batch, steps: 20 } },
  { name: `SPIN step, ${batch} + ${batch} examples, θ_k evaluated in the step`, bench: "step", flags: { batch } },
  {
    name: `SPIN step, ${batch} + ${batch} examples, here with e_k given`,
    bench: "step",
    flags: { batch },
    ours: { reference: "given" },
  },
  {
    name: `the same, training a LoRA of rank 8`,
    bench: "step",
    flags: { batch, lora: 8 },
    ours: { reference: "given" },
  },
  {
    name: `SPIN iteration: ${batch} × 5 trajectories of 20 steps, 5 optimiser steps`,
    bench: "iteration",
    flags: { batch, steps: 5, "sampling-steps": 20 },
  },
].filter(({ bench }) => options.only === undefined || options.only.split(",").includes(bench));

const rows = [["", "here, ms", "PyTorch, ms", "ratio", "here, MiB", "PyTorch, MiB", "ratio"], Array(7).fill("---")];
let note = "";
for (const { name, bench, flags, ours = {} } of CASES) {
  const shared = { model: options.model, tokens: options.tokens, threads: options.threads, ...flags };
  const here = [];
  const torch = [];
  for (let round = 0; round < rounds; round++) {
    here.push(measure(process.execPath, ["bin/spin-diffusion.mjs", "bench", bench], { ...shared, ...ours }));
    torch.push(measure(options.python, ["bench/pytorch.py", bench], shared));
    process.stderr.write(`${name}: round ${round + 1} of ${rounds}: ${here.at(-1).ms} ms, ${torch.at(-1).ms} ms\n`);
  }
  const [time, memory] = ["ms", "peak_rss_mb"].map((key) => [middle(here, key), middle(torch, key)]);
  rows.push([name, time[0].toFixed(1), time[1].toFixed(1), ratio(time), ...memory.map(Math.round), ratio(memory)]);
  const [{ runtime, processor, parameters, latent, settings }, { runtime: other }] = [here[0], torch[0]];
  note = `${runtime} beside ${other}; ${processor}, ${settings.threads} threads; UNet of ${parameters} parameters, latents ${latent.join("×")}, ${options.tokens} tokens; medians of ${rounds} rounds.`;
}
process.stdout.write(`${rows.map((row) => `| ${row.join(" | ")} |`).join("\n")}\n\n${note}\n`);

function measure(program, args, flags) {
  const given = Object.entries(flags).filter(([, value]) => value !== undefined);
  const all = [...args, "--json", ...given.flatMap(([name, value]) => [`--${name}`, String(value)])];
  const { status, stdout, error } = spawnSync(program, all, {
    cwd: ROOT,
    encoding: "utf8",
    stdio: ["ignore", "pipe", "inherit"],
  });
  if (error !== undefined) throw error;
  if (status !== 0) throw new Error(`${program} ${all.join(" ")} ended with ${status}: ${stdout}`);
  return JSON.parse(stdout.trim().split("\n").at(-1));
}

function middle(results, key) {
  const sorted = results.map((result) => result[key]).sort((a, b) => a - b);
  const half = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2;
}

/** Less than 1: less here than in PyTorch. */
function ratio([here, torch]) {
  return (here / torch).toFixed(2);
}

import { appendFile, mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Command, Option } from "commander";
import { wholeNumber } from "../../cli/options.js";
import { formatSeconds } from "../../cli/progress.js";
import { PROJECT_ROOT } from "../../core/project-root.js";
import { RpcChannel } from "../../core/service/client.js";
import { mainThreadSeconds } from "../compare/process-time.js";
import { runIteration } from "../run-iteration.js";
import { runTool } from "../run-tool.js";
import { startFleet } from "../service-fleet.js";
import { startFakeCollector } from "./fake-collector.js";
import { costs, formatCosts, type Measured, SITUATIONS, type Situation } from "./summarize.js";

interface Options {
  readonly rounds: number;
  readonly steps: number;
  readonly batch: number;
  readonly samplingSteps: number;
  readonly only: readonly Situation[];
  readonly record?: string;
  readonly json?: boolean;
}

const count = wholeNumber(1, 100_000);

const program = new Command("collector-cost")
  .description(
    "Run the same iteration without a collector and with one that takes what it is sent, is stopped, refuses, is slow or resets connections: what that costs.",
  )
  .option("--rounds <count>", "of all situations by turns", count, 3)
  .option("--steps <count>", "optimiser steps of the iteration", count, 12)
  .option("--batch <count>", "samples of a step", count, 8)
  .option("--sampling-steps <count>", "of the sampler", count, 5)
  .addOption(new Option("--only <situation...>", "beside none").choices(SITUATIONS).default([], "all"))
  .option("--record <file>", "add each measurement to this file of JSON lines, whose earlier ones count too")
  .option("--json", "print one line of JSON")
  .action(measureAll);
await runTool(program);

async function measureAll(options: Options): Promise<void> {
  const all = options.record === undefined ? [] : await recorded(options.record);
  const before = Math.max(0, ...all.map(({ round }) => round));
  const situations = SITUATIONS.filter(
    (one) => options.only.length === 0 || one === "none" || options.only.includes(one),
  );
  const total = options.rounds * situations.length;
  const start = performance.now();
  for (let i = 0; i < total; i++) {
    const round = before + 1 + Math.floor(i / situations.length);
    // Each round begins with another one, so that none has the same neighbours always.
    const situation = situations[(i + round) % situations.length]!;
    const measured = await measure(round, situation, options);
    all.push(measured);
    if (options.record !== undefined) await appendFile(options.record, `${JSON.stringify(measured)}\n`);
    const left = ((performance.now() - start) / 1000 / (i + 1)) * (total - i - 1);
    process.stderr.write(`${round} ${situation}: ${measured.seconds.toFixed(2)} s, ${formatSeconds(left)} left\n`);
  }
  const result = costs(all);
  const rounds = new Set(all.map(({ round }) => round)).size;
  process.stdout.write(options.json ? `${JSON.stringify(result)}\n` : `${formatCosts(rounds, result)}\n`);
}

/** One iteration of new services. */
async function measure(round: number, situation: Situation, options: Options): Promise<Measured> {
  const folder = await mkdtemp(join(tmpdir(), "spin-collector-cost-"));
  const hasNone = situation === "none" || situation === "again";
  const collector = hasNone ? undefined : await startFakeCollector(situation);
  const environment: Record<string, string> =
    collector === undefined ? {} : { OTEL_EXPORTER_OTLP_ENDPOINT: collector.endpoint };
  const modelDir = join(PROJECT_ROOT, "demo");
  try {
    const fleet = await startFleet({ folder, modelDir, generators: 1, hasTrainer: true, environment });
    const pids = [fleet.trainer!, ...fleet.generators].map(({ pid }) => pid);
    const worked = async () => (await Promise.all(pids.map(mainThreadSeconds))).reduce((sum, one) => sum + one, 0);
    const trainer = new RpcChannel(fleet.trainerAddress);
    try {
      const before = await worked();
      const { iteration, seconds } = await runIteration(trainer, { model: "base", guidance: 2, ...options });
      const loopSeconds = (await worked()) - before;
      const requests = collector?.requests ?? 0;
      return { round, situation, seconds, loopSeconds, digest: iteration.checkpointDigest, requests };
    } finally {
      trainer.close();
      await fleet.stop();
    }
  } finally {
    await collector?.close();
    await rm(folder, { recursive: true });
  }
}

async function recorded(file: string): Promise<Measured[]> {
  const text = await readFile(file, "utf8").catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return "";
    throw error;
  });
  return text
    .split("\n")
    .filter(Boolean)
    .map((line) => JSON.parse(line) as Measured);
}

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PROJECT_ROOT } from "../../core/project-root.js";
import { RpcChannel } from "../../core/service/client.js";
import { readSpans } from "../../core/service/read-spans.js";
import { type IterationSettings, runIteration } from "../run-iteration.js";
import { startFleet } from "../service-fleet.js";
import { type RealTimes, realTimes } from "./real-times.js";
import { simulate } from "./simulate.js";

/** A real iteration beside what the simulation makes of it. */
export interface Compared {
  readonly generators: number;
  readonly real: RealTimes;
  /** Simulated from the times of the iteration with the fewest generators. */
  readonly foretold: number;
  /** Simulated from its own times. */
  readonly retold: number;
}

/** Runs an iteration for each number of generators on this machine. Services have one thread each: where there are more of them than cores, they share. */
export async function compareReal(counts: readonly number[], settings: IterationSettings): Promise<Compared[]> {
  const compared: Compared[] = [];
  let first: RealTimes | undefined;
  for (const generators of [...counts].sort((a, b) => a - b)) {
    const real = await runReal(generators, settings);
    first ??= real;
    compared.push({
      generators,
      real,
      foretold: simulate(generators, first.measured).seconds,
      retold: simulate(generators, real.measured).seconds,
    });
    process.stderr.write(`${generators} generators: ${real.seconds.toFixed(1)} s\n`);
  }
  return compared;
}

async function runReal(generators: number, settings: IterationSettings): Promise<RealTimes> {
  const folder = await mkdtemp(join(tmpdir(), "spin-scaling-"));
  const trace = join(folder, "trace.jsonl");
  const modelDir = join(PROJECT_ROOT, "demo");
  try {
    const environment = { SPIN_TRACE_FILE: trace };
    const fleet = await startFleet({ folder, modelDir, generators, hasTrainer: true, environment });
    const trainer = new RpcChannel(fleet.trainerAddress);
    try {
      await runIteration(trainer, settings);
    } finally {
      trainer.close();
      await fleet.stop(); // What is left of the traces is written.
    }
    return realTimes(await readSpans(trace), generators);
  } finally {
    await rm(folder, { recursive: true });
  }
}

/** As Markdown. */
export function formatCompared(all: readonly Compared[]): string {
  const beside = (simulated: number, real: number) => {
    const error = 100 * (simulated / real - 1);
    return `${simulated.toFixed(1)} (${error < 0 ? "−" : "+"}${Math.abs(error).toFixed(1)} %)`;
  };
  const rows = all.map(({ generators, real: { seconds, measured }, foretold, retold }) => {
    const cells = [
      generators,
      seconds.toFixed(1),
      beside(foretold, seconds),
      beside(retold, seconds),
      measured.batchSeconds.toFixed(2),
      measured.stepSeconds.toFixed(2),
    ];
    return `| ${cells.join(" | ")} |`;
  });
  return [
    "| generators | measured s | simulated from the first row's times | simulated from its own times | s a batch | s a step |",
    "|---|---|---|---|---|---|",
    ...rows,
  ].join("\n");
}

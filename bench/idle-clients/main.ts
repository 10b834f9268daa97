import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Command } from "commander";
import { wholeNumber } from "../../cli/options.js";
import { textTable } from "../../cli/text-table.js";
import { PROJECT_ROOT } from "../../core/project-root.js";
import { residentMemory } from "../compare/process-tree.js";
import { runTool } from "../run-tool.js";
import { startFleet } from "../service-fleet.js";
import { keepBusy } from "./busy.js";
import { askHealth, type Latencies } from "./health.js";

interface Options {
  readonly generators: number;
  readonly clients: number;
  readonly processes: number;
  readonly checks: number;
  readonly modelDir: string;
  readonly model: string;
  readonly json?: boolean;
}

/** What was measured in one situation. */
interface Situation {
  readonly clients: number;
  readonly generators: "idle" | "computing";
  /** On connections that were there. */
  readonly health: Latencies;
  /** With a connection made for each question, as probes do. */
  readonly probe: Latencies;
  /** Largest of a replica, in MiB. */
  readonly residentMib: number;
}

const program = new Command("idle-clients")
  .description(
    "Connect idle clients to generators on this machine, each to every one, and tell how fast health answers and what memory it takes.",
  )
  .option("--generators <count>", "replicas", wholeNumber(1, 64), 4)
  .option(
    "--clients <count>",
    "idle clients, each with a connection of its own to every replica",
    wholeNumber(1, 100_000),
    2000,
  )
  .option("--processes <count>", "that the clients are spread over", wholeNumber(1, 64), 4)
  .option("--checks <count>", "questions in each situation and way", wholeNumber(1, 1_000_000), 1000)
  .option("--model-dir <folder>", "with the model", join(PROJECT_ROOT, "demo"))
  .option("--model <name>", "that generators render with where they are busy", "base")
  .option("--json", "print one line of JSON")
  .action(measure);
await runTool(program);

async function measure(options: Options): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "spin-idle-clients-"));
  const { modelDir, generators: replicas } = options;
  const fleet = await startFleet({ folder, modelDir, generators: replicas, hasTrainer: false });
  const { generatorAddresses: addresses } = fleet;
  let holders: ChildProcess[] = [];
  try {
    const situations: Situation[] = [];
    for (const clients of [0, options.clients]) {
      if (clients > 0) holders = await connect(addresses, options);
      for (const generators of ["idle", "computing"] as const) {
        const end = generators === "computing" ? keepBusy(addresses, options.model) : () => Promise.resolve();
        // Models are loaded and memory has grown before anything counts.
        if (generators === "computing") await new Promise((resolve) => setTimeout(resolve, 10_000));
        const health = await askHealth(addresses, options.checks, false);
        const probe = await askHealth(addresses, options.checks, true);
        const resident = await Promise.all(fleet.generators.map(({ pid }) => residentMemory(pid)));
        await end();
        situations.push({ clients, generators, health, probe, residentMib: Math.max(...resident) });
        process.stderr.write(`${clients} clients, generators ${generators}: done\n`);
      }
    }
    process.stdout.write(options.json ? `${JSON.stringify({ ...options, situations })}\n` : `${format(situations)}\n`);
  } finally {
    for (const holder of holders) holder.kill();
    await fleet.stop();
    await rm(folder, { recursive: true });
  }
}

/** Starts the processes that hold the clients' connections, and waits until all are there. */
async function connect(addresses: readonly string[], { clients, processes }: Options): Promise<ChildProcess[]> {
  const holders: ChildProcess[] = [];
  for (let i = 0; i < processes; i++) {
    const share = Math.floor(clients / processes) + (i < clients % processes ? 1 : 0);
    const holder = fork(new URL("./hold-connections.js", import.meta.url), [addresses.join(","), String(share)]);
    holders.push(holder);
    const ended = once(holder, "exit").then(([code]) => {
      throw new Error(`a process of clients ended with ${code} before it had connected`);
    });
    ended.catch(() => undefined); // It ends when this program does, too.
    await Promise.race([once(holder, "message"), ended]);
  }
  return holders;
}

function format(situations: readonly Situation[]): string {
  const ms = (value: number) => value.toFixed(1);
  const header = [
    ...["clients", "generators", "health p50 ms", "p99", "max"],
    ...["new connection p50 ms", "p99", "max", "resident MiB"],
  ];
  const rows = situations.map(({ clients, generators, health, probe, residentMib }) => [
    ...[String(clients), generators, ms(health.p50), ms(health.p99), ms(health.max)],
    ...[ms(probe.p50), ms(probe.p99), ms(probe.max), residentMib.toFixed(0)],
  ]);
  return textTable([header, ...rows]);
}

import { Command, Option } from "commander";
import { DEVICE_FORMS } from "../../core/graph/device.js";
import type { Setting } from "../../core/service/config.js";
import { CALLER_SETTINGS } from "../../core/service/doors/settings.js";
import { EVALUATOR_SETTINGS } from "../../evaluator/config.js";
import { GENERATOR_SETTINGS } from "../../generator/config.js";
import { TRAINER_SETTINGS } from "../../trainer/config.js";
import { flagOf } from "../options.js";

type SettingsTable = Readonly<Record<string, Setting<unknown>>>;
/** What each setting is, in the words of --help. */
type Descriptions<Table> = Record<keyof Table, string>;

/** Those of a caller are options of the program. */
type Own<Table> = Omit<Descriptions<Table>, keyof typeof CALLER_SETTINGS>;

const LISTENING = {
  host: "address to listen on; 0.0.0.0: all of this machine",
  port: "port to listen on; 0: any that is free",
  serverCert: "PEM file with the certificate chain; with --server-key: TLS",
  serverKey: "PEM file with the certificate's key",
  clientCa: "PEM file with the CA that clients' certificates must be signed by: mutual TLS",
  tokensFile: "JSON file of tokens, as `spin-diffusion keys` writes",
  insecure: "listen beyond loopback without TLS and tokens",
  healthPort: "port that answers health checks alone, without TLS",
  maxCalls: "calls served at a time",
  minFreeDiskMb: "MiB that stay free on the disk that it writes to: with less, new work is refused; 0: none",
  logLevel: "silent, error, warn, info or debug",
};
const DATA = {
  dataDir: "folder with data sets and prompt lists",
  dataIndexDir: "folder for what is found out about their rows",
};
const COMPUTING = {
  threads: "threads within one operator; 0: one per core",
  device: `where it computes: ${DEVICE_FORMS}`,
};

const GENERATOR: Own<typeof GENERATOR_SETTINGS> = {
  ...LISTENING,
  modelDir: "folder with model folders",
  ...DATA,
  cacheDir: "folder for checkpoints fetched from a trainer",
  cacheBytes: "most bytes that those may take",
  checkpointAddress: "trainer to fetch checkpoints from",
  ...COMPUTING,
  queueCapacity: "streams served at a time",
  maxLoaded: "most checkpoints in memory",
  encodedBytes: "most bytes of encoded captions and pictures in memory",
  encodedDiskBytes: "most bytes of them on disk; 0: none",
};

const TRAINER: Own<typeof TRAINER_SETTINGS> = {
  ...LISTENING,
  generatorAddresses: "generators, as host:port between commas",
  modelDir: "folder with base models",
  ...DATA,
  runsDir: "folder for runs and checkpoints",
  memoryBudgetMb: "MiB for a training step, by estimate, at the price of time; 0: no limit",
  checkpointDtype: "element type of checkpoints' UNets: source (as the base has it) or float32",
  ...COMPUTING,
  prefetchBatches: "sampling batches to have ahead of training",
  generatorPatience: "seconds without a generator after which an iteration fails",
  batchTimeout: "seconds that a generator may take for a batch",
  trainingStateInterval: "optimiser steps between two states that an interrupted iteration goes on from",
  force: "go on with an iteration that another configuration began; its lineage tells so",
};

const EVALUATOR: Own<typeof EVALUATOR_SETTINGS> = {
  ...LISTENING,
  generatorAddress: "generator that renders the pictures",
  modelDir: "folder with scorers",
  ...DATA,
  evaluationsDir: "folder that evaluations are kept in",
  ...COMPUTING,
};

const EXAMPLES = `
Examples:
  $ spin-diffusion serve generator --model-dir demo --checkpoint-address 127.0.0.1:50052
  $ spin-diffusion serve trainer --model-dir demo --generator-addresses 127.0.0.1:50051
  $ spin-diffusion serve evaluator --model-dir demo --generator-address 127.0.0.1:50051

Each flag has an environment variable, which --help of the service names; the flag wins. Each service logs lines of JSON, answers the
standard health and reflection services, and stops by Ctrl-C or SIGTERM.`;

/** `spin-diffusion serve …`. */
export function serveCommand(): Command {
  return new Command("serve")
    .description("Run a service until it is stopped.")
    .helpCommand(false)
    .addCommand(
      service("generator", "Samples trajectories and renders pictures.", GENERATOR_SETTINGS, GENERATOR, async (flags) =>
        (await import("./serve-service.js")).serveGenerator(flags),
      ),
    )
    .addCommand(
      service("trainer", "Owns runs, iterations and checkpoints.", TRAINER_SETTINGS, TRAINER, async (flags) =>
        (await import("./serve-service.js")).serveTrainer(flags),
      ),
    )
    .addCommand(
      service("evaluator", "Scores checkpoints and compares them.", EVALUATOR_SETTINGS, EVALUATOR, async (flags) =>
        (await import("./serve-service.js")).serveEvaluator(flags),
      ),
    )
    .addHelpText("after", EXAMPLES);
}

type Flags = Readonly<Record<string, string | undefined>>;

/** A command whose flags are the service's settings. */
function service<Table extends SettingsTable>(
  name: string,
  description: string,
  settings: Table,
  descriptions: Own<Table>,
  serve: (flags: Flags) => Promise<void>,
): Command {
  const command = new Command(name).description(description).option("--json", "tell of a failure as one line of JSON");
  for (const [key, { variable, schema }] of Object.entries(settings)) {
    if (key in CALLER_SETTINGS) continue;
    const fallback = schema.safeParse(undefined).data;
    const shown = fallback === undefined ? "" : `, default: ${String(fallback)}`;
    const description = `${descriptions[key as keyof typeof descriptions]} (${variable}${shown})`;
    const isSwitch = typeof fallback === "boolean";
    command.addOption(new Option(isSwitch ? flagOf(key) : `${flagOf(key)} <value>`, description));
  }
  return command.action(() => serve(asTexts(command.optsWithGlobals())));
}

/** Flags as the environment would have them. */
function asTexts(options: Readonly<Record<string, string | boolean>>): Flags {
  return Object.fromEntries(
    Object.entries(options).map(([name, value]) => [name, value === true ? "1" : String(value)]),
  );
}

import { Command, Option } from "commander";
import { DEVICE_FORMS } from "../../core/graph/device.js";
import type { Setting } from "../../core/service/config.js";
import { EVALUATOR_SETTINGS } from "../../evaluator/config.js";
import { GENERATOR_SETTINGS } from "../../generator/config.js";
import { TRAINER_SETTINGS } from "../../trainer/config.js";

type SettingsTable = Readonly<Record<string, Setting<unknown>>>;
/** What each setting is, in the words of --help. */
type Descriptions<Table> = Record<keyof Table, string>;

const LISTENING = {
  host: "address to listen on; 0.0.0.0: all of this machine",
  port: "port to listen on; 0: any that is free",
  logLevel: "silent, error, warn, info or debug",
};
const COMPUTING = {
  threads: "threads within one operator; 0: one per core",
  device: `where it computes: ${DEVICE_FORMS}`,
};

const GENERATOR: Descriptions<typeof GENERATOR_SETTINGS> = {
  ...LISTENING,
  modelDir: "folder with model folders",
  cacheDir: "folder for checkpoints fetched from a trainer",
  cacheBytes: "most bytes that those may take",
  checkpointAddress: "trainer to fetch checkpoints from",
  ...COMPUTING,
  queueCapacity: "streams served at a time",
  maxLoaded: "most checkpoints in memory",
  encodedBytes: "most bytes of encoded captions and pictures in memory",
};

const TRAINER: Descriptions<typeof TRAINER_SETTINGS> = {
  ...LISTENING,
  generatorAddresses: "generators, as host:port between commas",
  modelDir: "folder with base models",
  runsDir: "folder for runs and checkpoints",
  memoryBudgetMb: "MiB for a training step, by estimate, at the price of time; 0: no limit",
  checkpointDtype: "element type of checkpoints' UNets: source (as the base has it) or float32",
  ...COMPUTING,
  prefetchBatches: "sampling batches to have ahead of training",
  generatorPatience: "seconds without a generator after which an iteration fails",
  batchTimeout: "seconds that a generator may take for a batch",
};

const EVALUATOR: Descriptions<typeof EVALUATOR_SETTINGS> = {
  ...LISTENING,
  generatorAddress: "generator that renders the pictures",
  modelDir: "folder with scorers",
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
  descriptions: Descriptions<Table>,
  serve: (flags: Flags) => Promise<void>,
): Command {
  const command = new Command(name).description(description).option("--json", "tell of a failure as one line of JSON");
  for (const [key, { variable, schema }] of Object.entries(settings)) {
    const flag = key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
    const fallback = schema.safeParse(undefined).data;
    const shown = fallback === undefined ? "" : `, default: ${String(fallback)}`;
    const description = `${descriptions[key as keyof Table]} (${variable}${shown})`;
    command.addOption(new Option(`--${flag} <value>`, description));
  }
  return command.action(({ json: _, ...flags }: Flags) => serve(flags));
}

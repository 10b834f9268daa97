import { mkdir, readFile } from "node:fs/promises";
import { cpus } from "node:os";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { Command } from "commander";
import { writeFailure } from "../../cli/failure.js";
import { trainingHistory } from "../../cli/report/history.js";
import { timelineOf } from "../../cli/report/timeline.js";
import { fetchReport } from "../../cli/report/write-report.js";
import { saveFile } from "../../core/checkpoint/atomic-file.js";
import { errorCode } from "../../core/checkpoint/io-errors.js";
import { openDataset } from "../../core/data/open-dataset.js";
import { readSpans } from "../../core/service/read-spans.js";
import { GetReportRequest } from "../../proto/gen/spin/v1/evaluator_service.js";
import { interruption } from "../interruption.js";
import { OverallProgress } from "../overall-progress.js";
import { type DemoServices, startServices } from "../services.js";
import { reproductionDocument } from "./document.js";
import { type Grid, gridCosts, searchGrid } from "./grid.js";
import { chosenFrom, type Results, reproduce, reproductionCosts } from "./results.js";
import { type Budget, FULL, QUICK } from "./settings.js";
import { foldersOf, prepareData, Workbench } from "./workbench.js";

const ROOT = fileURLToPath(new URL("../../../", import.meta.url));
const GRID_FILE = join(ROOT, "demo/reproduce/grid.json");
const RESULTS_FILE = join(ROOT, "docs/reproduction.json");

interface Options {
  readonly quick?: boolean;
  readonly folder?: string;
  readonly docs?: boolean;
}

/** Where a run's files are, and what it trains. */
interface Setup {
  readonly budget: Budget;
  readonly folder: string;
  /** Whether results go to where they are committed. */
  readonly isOfficial: boolean;
}

const setupOf = ({ quick, folder, docs }: Options): Setup => ({
  budget: quick ? QUICK : FULL,
  folder: resolve(folder ?? (quick ? "runs/reproduce-quick" : "runs/reproduce")),
  isOfficial: !quick && docs !== false,
});

async function runSearch(setup: Setup): Promise<void> {
  const file = setup.isOfficial ? GRID_FILE : join(setup.folder, "grid.json");
  const size = await promptsOf("validation", setup.budget);
  await atWork(setup, gridCosts(setup.budget, size), async (bench) => {
    await writeJson(file, await searchGrid(bench, setup.budget));
  });
  process.stdout.write(`search: ${file}\n`);
}

async function runReproduction(setup: Setup): Promise<void> {
  const { budget, folder, isOfficial } = setup;
  const grid = (await readJson(isOfficial ? GRID_FILE : join(folder, "grid.json"))) as Grid | undefined;
  const chosen = chosenFrom(grid, budget);
  const earlier = (await readJson(isOfficial ? RESULTS_FILE : join(folder, "reproduction.json"))) as
    | Results
    | undefined;
  const trace = join(folder, "trace.jsonl");
  process.env.SPIN_TRACE_FILE ??= trace; // the services are to leave one
  const started = performance.now();
  const costs = reproductionCosts(budget, await promptsOf("test", budget));
  const out = isOfficial ? join(ROOT, "docs") : folder;
  await atWork(setup, costs, async (bench, services, pairs) => {
    const labelled = { count: pairs.pairs, agreement: pairs.agreement, labeller: pairs.labeller };
    const { results, evaluations } = await reproduce(bench, budget, chosen, labelled);
    const history = await trainingHistory(services.trainer, evaluations[0]!);
    const spans = await readSpans(trace).catch(() => []);
    const request = GetReportRequest.fromPartial({
      evaluationId: evaluations[0]!.evaluationId,
      lineage: [...history.lineage],
      curves: [...history.curves],
      timeline: spans.length === 0 ? undefined : timelineOf(spans, history.labels),
      referenceLabel: evaluations[0]!.results.find(({ label }) => label.startsWith("dpo"))?.label,
    });
    await saveFile(join(out, "reproduction-report.html"), await fetchReport(services.evaluator, request));
    const seconds = (performance.now() - started) / 1000;
    const cores = cpus();
    const notes = { seconds, cpus: cores.length, cpu: cores[0]!.model, earlierDigest: earlier?.digest };
    await saveFile(join(out, "reproduction.md"), reproductionDocument(results, grid, notes));
    await writeJson(join(out, "reproduction.json"), results);
    process.stdout.write(`checkpoints: ${results.digest}${earlier?.digest === results.digest ? ", as before" : ""}\n`);
  });
  process.stdout.write(`results: ${join(out, "reproduction.md")}\n`);
}

/** Starts the services, works, and stops them whatever happens. */
async function atWork(
  { budget, folder }: Setup,
  costs: ReadonlyMap<string, number>,
  work: (bench: Workbench, services: DemoServices, pairs: Awaited<ReturnType<typeof prepareData>>) => Promise<void>,
): Promise<void> {
  const { data } = foldersOf(folder);
  await mkdir(data, { recursive: true });
  const pairs = await prepareData(folder, budget);
  const services = await startServices(folder, interruption(), {
    DATA_DIR: data,
    DATA_INDEX_DIR: join(folder, "data-index"),
  });
  try {
    const progress = new OverallProgress(costs);
    const bench = await Workbench.open(services, folder, budget, pairs, progress);
    const done = async () => {
      await work(bench, services, pairs);
      progress.pause();
    };
    await Promise.race([done(), services.failed]);
  } finally {
    await services.stop();
  }
}

async function promptsOf(split: "validation" | "test", { maxPrompts }: Budget): Promise<number> {
  const { size } = await openDataset("emoji/winners", split);
  return maxPrompts === 0 ? size : Math.min(maxPrompts, size);
}

async function readJson(file: string): Promise<unknown> {
  try {
    return JSON.parse(await readFile(file, "utf8"));
  } catch (error) {
    if (errorCode(error) === "ENOENT") return undefined;
    throw error;
  }
}

async function writeJson(file: string, value: unknown): Promise<void> {
  await saveFile(file, `${JSON.stringify(value, undefined, 1)}\n`);
}

const program = new Command("reproduce").description("Try the paper's claims on the built-in model and data.");
const shared = (command: Command) =>
  command
    .option("--quick", "a minute or two with hardly any training, to see that everything goes together")
    .option("--folder <folder>", "where runs are kept; the same folder goes on where it stopped")
    .option("--no-docs", "write results to the folder, not to where they are committed");
program.addCommand(
  shared(new Command("grid").description("Search each method's settings on the validation prompts.")).action(
    (options: Options) => runSearch(setupOf(options)),
  ),
);
program.addCommand(
  shared(new Command("claims").description("Train with the chosen settings and three seeds; test the claims.")).action(
    (options: Options) => runReproduction(setupOf(options)),
  ),
);
try {
  await program.parseAsync();
} catch (error) {
  writeFailure(error, false);
  process.exitCode = 1;
}

import { join } from "node:path";
import { saveFile } from "../../core/checkpoint/atomic-file.js";
import { entriesIn, exists } from "../../core/checkpoint/presence.js";
import { SpinError } from "../../core/errors.js";
import { readJsonFile } from "../../core/json-config.js";
import type { Iteration, Run } from "../../proto/gen/spin/v1/trainer_service.js";
import {
  type IterationRecord,
  iterationFromJson,
  iterationToJson,
  type RunRecord,
  runFromJson,
  runToJson,
} from "./records.js";

/** All runs and iterations of a trainer: in memory, and in JSON files that are replaced whole. One process per folder. */
export class RunStore {
  readonly #runsDir: string;
  /** In order of creation, as the next. */
  readonly #runs = new Map<string, RunRecord>();
  readonly #iterations = new Map<string, IterationRecord>();

  private constructor(runsDir: string) {
    this.#runsDir = runsDir;
  }

  /** Reads what earlier processes kept. @throws SpinError naming the file that cannot be read */
  static async open(runsDir: string): Promise<RunStore> {
    const store = new RunStore(runsDir);
    for (const runId of await foldersIn(runsDir)) {
      const file = store.#runFile(runId);
      if (!(await exists(file))) continue; // Something else's folder.
      store.#runs.set(runId, runFromJson(await readJsonFile(file), file));
      for (const iterationId of await foldersIn(join(runsDir, runId, "iterations"))) {
        const file = store.#iterationFile(runId, iterationId);
        if (!(await exists(file))) continue; // A crash came before anything was promised.
        store.#iterations.set(iterationId, iterationFromJson(await readJsonFile(file), file));
      }
    }
    return store;
  }

  /** In order of creation. */
  get runs(): readonly RunRecord[] {
    return [...this.#runs.values()];
  }

  /** In order of creation. */
  get iterations(): readonly IterationRecord[] {
    return [...this.#iterations.values()];
  }

  /** @throws SpinError "notFound" */
  run(runId: string): RunRecord {
    return this.#runs.get(runId) ?? missing("run", "run_id", runId);
  }

  /** @throws SpinError "notFound" */
  iteration(iterationId: string): IterationRecord {
    return this.#iterations.get(iterationId) ?? missing("iteration", "iteration_id", iterationId);
  }

  /** In order of creation, which is that of their numbers. */
  iterationsOf(runId: string): readonly IterationRecord[] {
    return this.iterations.filter(({ iteration }) => iteration.runId === runId);
  }

  /** Identifier for the next run. */
  nextRunId(): string {
    return following("run", [...this.#runs.keys()]);
  }

  /** Identifier for the next iteration of a run; one that failed keeps its own. */
  nextIterationId(runId: string): string {
    return following(
      `${runId}-iteration`,
      this.iterationsOf(runId).map(({ iteration }) => iteration.iterationId),
    );
  }

  async putRun(record: RunRecord): Promise<void> {
    const { runId } = record.run;
    await saveFile(this.#runFile(runId), stringify(runToJson(record)));
    this.#runs.set(runId, record);
  }

  /** Keeps which files a run is trained on, with their digests, and which rows of them not. */
  async putDataManifest(runId: string, manifest: object): Promise<void> {
    await saveFile(join(this.#runsDir, runId, "data.json"), stringify(manifest));
  }

  async putIteration(record: IterationRecord): Promise<void> {
    const { runId, iterationId } = record.iteration;
    await saveFile(this.#iterationFile(runId, iterationId), stringify(iterationToJson(record)));
    this.#iterations.set(iterationId, record);
  }

  /** Where an iteration's events are kept. */
  eventsFile({ runId, iterationId }: Iteration): string {
    return join(this.#runsDir, runId, "iterations", iterationId, "events.jsonl");
  }

  /** Where an iteration's training states are kept while it is not done. */
  statesFolder({ runId, iterationId }: Iteration): string {
    return join(this.#runsDir, runId, "iterations", iterationId, "states");
  }

  #runFile(runId: Run["runId"]): string {
    return join(this.#runsDir, runId, "run.json");
  }

  #iterationFile(runId: string, iterationId: string): string {
    return join(this.#runsDir, runId, "iterations", iterationId, "iteration.json");
  }
}

/** The prefix with a number after those of the names that are taken, and of those that were deleted before them. */
function following(prefix: string, taken: readonly string[]): string {
  const last = Number(taken.at(-1)?.slice(prefix.length + 1) ?? 0);
  return `${prefix}-${last + 1}`;
}

function stringify(json: unknown): string {
  return `${JSON.stringify(json, undefined, 1)}\n`;
}

/** Names of the folders in a folder, by their numbers; none where it does not exist. */
async function foldersIn(folder: string): Promise<string[]> {
  const names = (await entriesIn(folder)).flatMap((entry) => (entry.isDirectory() ? [entry.name] : []));
  return names.sort((a, b) => a.localeCompare(b, "en", { numeric: true }));
}

function missing(what: string, field: string, id: string): never {
  throw new SpinError("notFound", `there is no ${what} "${id}"`, {
    field,
    remedy: "ListRuns and GetRun tell those that exist",
  });
}

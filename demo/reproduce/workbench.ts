import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { fetchTable, type PictureTable } from "../../cli/evaluate/picture-table.js";
import { digestFolder } from "../../core/checkpoint/manifest.js";
import type { Split } from "../../core/data/dataset.js";
import { openDataset } from "../../core/data/open-dataset.js";
import { EvaluationSpec } from "../../proto/gen/spin/v1/evaluation.js";
import { Evaluation } from "../../proto/gen/spin/v1/evaluator_service.js";
import type { OverallProgress } from "../overall-progress.js";
import type { DemoServices } from "../services.js";
import { type Candidate, evaluate, evaluationSpec } from "./evaluate.js";
import { type LabelledPairs, labelPairs, PAIRS_NAME } from "./labelled-pairs.js";
import { trainLabeller } from "./labeller.js";
import { type Budget, type Method, stepsOf, type TrialSettings, trainingSettings } from "./settings.js";
import { type TrainingOutcome, train } from "./train.js";
import { UnitStore } from "./unit-store.js";

const DEMO = fileURLToPath(new URL("../../../demo", import.meta.url));

/** Files of a reproduction below its folder. */
export function foldersOf(folder: string) {
  return { data: join(folder, "data"), labeller: join(folder, "labeller"), units: join(folder, "units") };
}

/** A model to begin with. */
export interface Base {
  readonly digest: string;
  readonly modelName: string;
}

/** Makes what the services need before they start: the labelling scorer, and the pairs that it labels. */
export async function prepareData(folder: string, budget: Budget): Promise<LabelledPairs> {
  const { data, labeller, units } = foldersOf(folder);
  const { labeller: steps, labellerCaptions, pairs } = budget;
  const inputs = { steps, labellerCaptions, pairs, train: (await openDataset("emoji/mixed", "train")).digest };
  return new UnitStore(units).result("labelled-pairs", inputs, async () => {
    process.stderr.write("training the scorer that labels pairs: some minutes\n");
    await trainLabeller(budget, labeller, folder); // goes on from where it was interrupted
    return labelPairs(labeller, data, budget.pairs);
  });
}

/** Trains and measures, once for each key: results are kept, and what is kept is not done again. */
export class Workbench {
  readonly #services: DemoServices;
  readonly #budget: Budget;
  readonly #progress: OverallProgress;
  readonly #units: UnitStore;
  readonly #pairs: LabelledPairs;
  readonly base: Base;

  private constructor(
    services: DemoServices,
    budget: Budget,
    progress: OverallProgress,
    units: UnitStore,
    pairs: LabelledPairs,
    base: Base,
  ) {
    this.#services = services;
    this.#budget = budget;
    this.#progress = progress;
    this.#units = units;
    this.#pairs = pairs;
    this.base = base;
  }

  static async open(
    services: DemoServices,
    folder: string,
    budget: Budget,
    pairs: LabelledPairs,
    progress: OverallProgress,
  ): Promise<Workbench> {
    const base = { digest: (await digestFolder(join(DEMO, "base"))).digest, modelName: "base" };
    return new Workbench(services, budget, progress, new UnitStore(foldersOf(folder).units), pairs, base);
  }

  /**
   * Trains a method from a base.
   * @param stage its name in the progress
   */
  train(
    stage: string,
    method: Method,
    trial: TrialSettings,
    { base, seed, steps = stepsOf(method, this.#budget) }: { base: Base; seed: bigint; steps?: number },
  ): Promise<TrainingOutcome> {
    const settings = trainingSettings(method, trial, this.#budget, steps);
    const dataset = { name: method === "dpo" ? PAIRS_NAME : "emoji/winners", split: "train" };
    const data = method === "dpo" ? this.#pairs.digest : "";
    const inputs = {
      base: base.digest,
      dataset,
      data,
      seed: String(seed),
      settings: JSON.parse(JSON.stringify(settings)),
    };
    // Named by the method alone: the same training is the same request, whichever stage asks for it.
    const training = { label: method, base, dataset, seed, settings };
    return this.#unit(stage, inputs, (key) =>
      train(this.#services.trainer, key, training, (done) =>
        this.#progress.update(stage, done / steps, `step ${done}/${steps}`),
      ),
    );
  }

  /** Measures checkpoints, the first of them the baseline. */
  async evaluate(stage: string, candidates: readonly Candidate[], split: Split): Promise<Evaluation> {
    const spec = evaluationSpec(candidates, split, this.#budget);
    const stored = await this.#unit(stage, { evaluation: EvaluationSpec.toJSON(spec) }, async (key) => {
      const evaluation = await evaluate(this.#services.evaluator, key, spec, (done, total) =>
        this.#progress.update(stage, done / total, `picture ${done}/${total}`),
      );
      return Evaluation.toJSON(evaluation); // JSON holds no 64-bit numbers
    });
    return Evaluation.fromJSON(stored);
  }

  /** The scores of a finished evaluation, picture by picture. */
  pictures({ evaluationId }: Evaluation): Promise<PictureTable> {
    return fetchTable(this.#services.evaluator, evaluationId);
  }

  async #unit<T>(stage: string, inputs: unknown, work: (key: string) => Promise<T>): Promise<T> {
    let isNew = false;
    const result = await this.#units.result(stage, inputs, (key) => {
      isNew = true;
      return work(key);
    });
    if (isNew) this.#progress.update(stage, 1, "done");
    else this.#progress.skip(stage);
    return result;
  }
}

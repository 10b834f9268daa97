import { SpinError } from "../../../core/errors.js";
import { sleep } from "../../../core/service/deadline.js";
import { JobState } from "../../../proto/gen/spin/v1/common.js";
import { smallSpec } from "../../support/trainer-client.js";
import { StubbornClient } from "./client.js";
import type { Journal } from "./journal.js";
import type { PlannedFault } from "./plan.js";
import { type FaultyServices, startFaultyServices } from "./services.js";
import { strike } from "./strike.js";

/** Iterations of a run: with the second one the replicas fetch weights from the trainer. */
const NUM_ITERATIONS = 2;
const STEPS_PER_ITERATION = 4;
/** Steps of the whole run, at which faults are planned. */
export const NUM_STEPS = NUM_ITERATIONS * STEPS_PER_ITERATION;
/** Time for one run, in milliseconds. */
const LIMIT_MS = 300_000;

/** What became of a run. */
export interface RunOutcome {
  readonly journal: Journal;
  /** Faults that happened; of those planned, some come too late for their run. */
  readonly struck: readonly PlannedFault[];
  readonly seconds: number;
}

/**
 * Runs two iterations while faults happen, as two clients see them that only know to ask again: one starts them, over a link that
 * may fail, the other looks on.
 * @throws Error with the services' last words where it does not come to its end
 */
export async function faultyRun(folder: string, modelDir: string, plan: readonly PlannedFault[]): Promise<RunOutcome> {
  const start = performance.now();
  const services = await startFaultyServices(folder, modelDir);
  const isOver = new AbortController();
  const limit = setTimeout(() => {
    isOver.abort(new SpinError("cancelled", `not done within ${LIMIT_MS / 1000} s`));
  }, LIMIT_MS);
  const driver = new StubbornClient(services.links["link client"].address, isOver.signal);
  const onlooker = new StubbornClient(services.trainerAddress, isOver.signal);
  const faults = new Faults(services, plan, isOver.signal);
  const started: { iterationId: string; number: number }[] = [];
  const looking: Promise<unknown>[] = [];
  try {
    faults.afterStep(0);
    const runId = await driver.createRun();
    const spec = smallSpec("spin", { numSteps: STEPS_PER_ITERATION, checkpointInterval: 3 });
    for (let number = 1; number <= NUM_ITERATIONS; ) {
      const { iterationId } = await driver.startIteration(runId, `spin-${number}`, spec);
      started.push({ iterationId, number });
      const look = onlooker.watch(iterationId);
      look.catch(() => undefined); // Awaited below.
      looking.push(look);
      const onStep = (step: number) => faults.afterStep((number - 1) * STEPS_PER_ITERATION + step);
      const { state } = await driver.watch(iterationId, onStep);
      if (state === JobState.JOB_STATE_SUCCEEDED) number += 1;
    }
    await Promise.all(looking);
    const seconds = (performance.now() - start) / 1000;
    const clients = new Map(Object.entries({ driver: driver.heard, onlooker: onlooker.heard }));
    const journal = { clients, started, samples: services.samples.counts };
    isOver.abort();
    return { journal, struck: await faults.struck(), seconds };
  } catch (error) {
    const words = Object.entries(services.processes).map(([name, { output }]) => `— ${name} —\n${output}`);
    const message = error instanceof Error ? error.message : String(error);
    throw new Error([message, ...words].join("\n"), { cause: error });
  } finally {
    clearTimeout(limit);
    isOver.abort();
    await Promise.allSettled([...looking, faults.struck()]);
    for (const client of [driver, onlooker]) client.close();
    await services.stop();
  }
}

/** The faults of a plan, which happen as steps are seen. */
class Faults {
  readonly #services: FaultyServices;
  readonly #isOver: AbortSignal;
  readonly #left: PlannedFault[];
  readonly #happening: Promise<PlannedFault[]>[] = [];

  constructor(services: FaultyServices, plan: readonly PlannedFault[], isOver: AbortSignal) {
    this.#services = services;
    this.#isOver = isOver;
    this.#left = [...plan];
  }

  /** Begins those that are due. */
  afterStep(step: number): void {
    while (this.#left.length > 0 && this.#left[0]!.afterStep <= step)
      this.#happening.push(this.#strike(this.#left.shift()!));
  }

  /** Those that have happened, once all that were begun are over. */
  async struck(): Promise<PlannedFault[]> {
    return (await Promise.all(this.#happening)).flat();
  }

  async #strike(planned: PlannedFault): Promise<PlannedFault[]> {
    await sleep(planned.waitMs, this.#isOver).catch(() => undefined);
    if (this.#isOver.aborted) return [];
    return (await strike(this.#services, planned.fault, this.#isOver)) ? [planned] : [];
  }
}

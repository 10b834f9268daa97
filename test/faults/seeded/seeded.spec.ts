import { appendFileSync } from "node:fs";
import { rm } from "node:fs/promises";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { useSharedFolder } from "../../support/temporary-folder.js";
import { ONE_LEVEL, writeTinyModel } from "../../support/tiny-model.js";
import { faultyRun, NUM_STEPS, type RunOutcome } from "./faulty-run.js";
import { type Undisturbed, undisturbedOf, violations } from "./journal.js";
import { planFaults, planOneFault, serviceOf } from "./plan.js";

/**
 * Runs with faults in trainer, generators and the network between them end with the digest of the undisturbed run. `npm run test:faults --
 * --seeds 100` runs more of them, `--seed 7` one again, `--alone` one fault a run.
 */
const count = Number(process.env.FAULT_SEEDS ?? 2);
const first = Number(process.env.FAULT_SEED ?? 1);
const isAlone = process.env.FAULT_ALONE === "1";
/** Runs side by side: each has four processes, which wait for one another most of the time. */
const lanes = Number(process.env.FAULT_LANES ?? Math.max(1, availableParallelism()));
const seeds = Array.from({ length: count }, (_, i) => first + i);
const planOf = (seed: number) => (isAlone ? planOneFault : planFaults)(seed, NUM_STEPS);

const folder = useSharedFolder();
const modelDir = () => join(folder(), "models");
let undisturbed: readonly Undisturbed[];
let undisturbedSeconds: number;
const outcomes = new Map<number, Promise<RunOutcome>>();

beforeAll(async () => {
  await writeTinyModel(join(modelDir(), "tiny"), { unet: ONE_LEVEL });
  const { journal, seconds } = await faultyRun(join(folder(), "undisturbed"), modelDir(), []);
  undisturbed = undisturbedOf(journal.clients.get("driver")!);
  // What a fault costs is measured against a run that finds everything as warm as those after it do.
  undisturbedSeconds = isAlone ? (await faultyRun(join(folder(), "again"), modelDir(), [])).seconds : seconds;
  expect(violations(journal, undisturbed)).toEqual([]);
  expect(journal.samples.length).toBeGreaterThan(0);
  const running: Promise<unknown>[] = Array.from({ length: lanes }, () => Promise.resolve());
  for (const [i, seed] of seeds.entries()) {
    const outcome = running[i % lanes]!.then(() => run(seed));
    outcomes.set(seed, outcome);
    running[i % lanes] = outcome.catch(() => undefined); // Awaited, and told of, in its own test.
  }
}, 600_000);
afterAll(() => Promise.allSettled(outcomes.values()), 600_000);

async function run(seed: number): Promise<RunOutcome> {
  const own = join(folder(), `seed-${seed}`);
  const outcome = await faultyRun(own, modelDir(), planOf(seed));
  await rm(own, { recursive: true, force: true });
  return outcome;
}

test.each(seeds)(
  "seed %i ends as the undisturbed run does, and nobody was told anything else on the way",
  async (seed) => {
    const plan = planOf(seed);
    const again = `npm run test:faults -- --seed ${seed}${isAlone ? " --alone" : ""}`;
    const { journal, struck, seconds } = await outcomes.get(seed)!.catch((error: unknown) => {
      const message = error instanceof Error ? error.message : String(error);
      throw new Error(`${again}\n${JSON.stringify(plan, undefined, 1)}\n${message}`, { cause: error });
    });
    const found = violations(journal, undisturbed);
    const line = {
      seed,
      alone: isAlone,
      seconds,
      undisturbedSeconds,
      faults: struck.map(({ fault }) => ({ service: serviceOf(fault), ...fault })),
      attempts: journal.started.length,
      violations: found,
    };
    const file = process.env.FAULT_JOURNAL;
    if (file !== undefined) appendFileSync(file, `${JSON.stringify(line)}\n`);
    expect({ again, plan, violations: found }).toEqual({ again, plan, violations: [] });
  },
  600_000,
);

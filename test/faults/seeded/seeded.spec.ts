import { appendFileSync } from "node:fs";
import { join } from "node:path";
import { useSharedFolder } from "../../support/temporary-folder.js";
import { writeTinyModel } from "../../support/tiny-model.js";
import { faultyRun, NUM_STEPS } from "./faulty-run.js";
import { planFaults } from "./plan.js";

/**
 * Runs with faults in trainer, generator and the network between them end with the digest of the undisturbed run. `npm run
 * test:faults -- --seeds 20` runs more of them, `--seed 7` one again.
 */
const count = Number(process.env.FAULT_SEEDS ?? 2);
const first = Number(process.env.FAULT_SEED ?? 1);
const folder = useSharedFolder();
const modelDir = () => join(folder(), "models");
let undisturbed: { readonly digest: string; readonly losses: readonly number[] };

const lossesOf = (events: Awaited<ReturnType<typeof faultyRun>>["events"]) =>
  events.flatMap(({ event }) => (event?.$case === "step" ? [event.value.loss] : []));

beforeAll(async () => {
  await writeTinyModel(join(modelDir(), "tiny"));
  const { digest, events } = await faultyRun(join(folder(), "undisturbed"), modelDir(), []);
  undisturbed = { digest, losses: lossesOf(events) };
}, 600_000);

test.each(Array.from({ length: count }, (_, i) => first + i))(
  "seed %i ends with the undisturbed run's digest, every event told once",
  async (seed) => {
    const plan = planFaults(seed, NUM_STEPS);
    const { digest, events, seconds } = await faultyRun(join(folder(), `seed-${seed}`), modelDir(), plan);
    expect({ plan, digest }).toEqual({ plan, digest: undisturbed.digest });
    expect(events.map(({ sequence }) => sequence)).toEqual(events.map((_, i) => i + 1));
    expect(lossesOf(events)).toEqual(undisturbed.losses);
    const faults = plan.map(({ fault }) => `${fault.service} ${fault.kind}`);
    const journal = process.env.FAULT_JOURNAL;
    if (journal !== undefined) appendFileSync(journal, `${JSON.stringify({ seed, seconds, faults })}\n`);
  },
  600_000,
);

// npm run test:faults -- [--seeds N] [--seed FIRST] [--alone] [--lanes N] [--journal FILE]: fault runs, each a function of its seed. With --alone
// each has one fault, for what it costs. Lanes are runs side by side, by default one a core. FILE gets a line of JSON a run.
import { spawnSync } from "node:child_process";
import { parseArgs } from "node:util";

const { values } = parseArgs({
  options: {
    seeds: { type: "string" },
    seed: { type: "string" },
    alone: { type: "boolean", default: false },
    lanes: { type: "string" },
    journal: { type: "string" },
  },
});
const seeds = values.seeds ?? (values.seed === undefined ? "20" : "1");
const env = { ...process.env, FAULT_SEEDS: seeds, FAULT_SEED: values.seed ?? "1" };
if (values.alone) env.FAULT_ALONE = "1";
if (values.lanes !== undefined) env.FAULT_LANES = values.lanes;
if (values.journal !== undefined) env.FAULT_JOURNAL = values.journal;
const { status } = spawnSync("npm", ["test", "--", "test/faults/seeded", "--verbose"], { env, stdio: "inherit" });
process.exit(status ?? 1);
